package io.cafeq.engine.family;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * A family's attention, as far as pairs depend on it.
 *
 * @param module what all its names begin with, after the layer's number
 */
record AttentionKind(String module, AttentionLayout layout, Values values, Positions positions) {
  /** Names after the module's that are known to change nothing between V and O. */
  private static final Pattern HARMLESS =
      Pattern.compile(
          "(?:[qk]_norm|q_a_layernorm|kv_a_layernorm|output\\.LayerNorm)\\.\\w+|sinks|rotary_emb\\.inv_freq"
              + "|bias|masked_bias|self\\.distance_embedding\\.weight");

  /**
   * Scales of caches and activations: one number commutes with any map of a head, a vector of
   * channels does not.
   */
  private static final Pattern SCALE =
      Pattern.compile("(?:\\w+\\.)?(?:q|k|v|kv|prob)_(?:cache_)?(?:scale|zero_point)");

  private static final Pattern HEAD_NORM = Pattern.compile("[qk]_norm\\.\\w+");
  private static final Pattern OF_MATRIX =
      Pattern.compile(
          "\\.(?:bias|(?:(?:weight|input|output|activation|q|k|v)_)?(?:global_)?"
              + "(?:scale(?:s|_inv|_2|_ub)?|zero_point|shape|g_idx))$");

  /** What becomes of the values on their way to the output matrix. */
  enum Values {
    /** They are averaged head by head and nothing else. */
    AVERAGED(Optional.empty()),
    NORMALISED(
        Optional.of("values are normalised by themselves, so only rotations could be moved")),
    NORM_AFTER(Optional.of("there is a norm between the attention and o_proj")),
    GATED(Optional.of("there is a gate between the attention and o_proj"));

    private final Optional<String> obstacle;

    Values(Optional<String> obstacle) {
      this.obstacle = obstacle;
    }
  }

  /** How positions come in. */
  enum Positions {
    /** Queries and keys are rotated: no map can be moved between them, and none is expected. */
    ROTARY,
    /** Some layers are not rotated, as {@code no_rope_layers} tells. */
    ROTARY_IN_SOME_LAYERS,
    /** Only other channels of the heads are rotated. */
    BESIDE,
    /** Added to the embeddings. */
    ADDED
  }

  /** Why a layer has no V and O pair; empty if it may have one. */
  Optional<String> valueObstacle(Layer layer) {
    return values
        .obstacle
        .or(
            () ->
                layer
                    .config()
                    .attentionGate()
                    .map(key -> "config.json's " + key + " gates the attention"))
        .or(
            () ->
                layer.config().count("num_kv_shared_layers").isPresent()
                    ? Optional.of(
                        "config.json's num_kv_shared_layers lets other layers read the values too")
                    : Optional.empty())
        .or(() -> stranger(layer));
  }

  boolean mayPairQueriesAndKeys() {
    return positions != Positions.ROTARY && values == Values.AVERAGED;
  }

  /** Why a layer has no Q and K pair; empty if it may have one. */
  Optional<String> queryKeyObstacle(Layer layer) {
    Optional<String> position =
        switch (positions) {
          case ROTARY -> rotary();
          case ROTARY_IN_SOME_LAYERS -> rotaryObstacle(layer);
          case BESIDE -> Optional.empty();
          case ADDED -> relativeObstacle(layer);
        };
    return position
        .or(
            () ->
                layer.tensors().keySet().stream().anyMatch(name -> inModule(name, HEAD_NORM))
                    ? Optional.of("there is a norm between queries and keys")
                    : Optional.empty())
        .or(
            () ->
                layer.config().count("num_kv_shared_layers").isPresent()
                    ? Optional.of(
                        "config.json's num_kv_shared_layers lets other layers read the keys too")
                    : Optional.empty())
        .or(() -> stranger(layer));
  }

  /** In {@code no_rope_layers} 1 means that rotary embedding is used. */
  private static Optional<String> rotaryObstacle(Layer layer) {
    JsonNode listed = layer.config().node().path("no_rope_layers");
    int interval = layer.config().count("no_rope_layer_interval").orElse(4);
    JsonNode own = listed.path(layer.number());
    if (listed.isEmpty() && (listed.isArray() || listed.isNull() || listed.isMissingNode())) {
      return (layer.number() + 1) % interval == 0 ? Optional.empty() : rotary();
    }
    if (!own.isInt() || own.intValue() < 0 || own.intValue() > 1) {
      return Optional.of(
          "config.json's no_rope_layers does not tell whether rotary embedding is used");
    }
    return own.intValue() == 0 ? Optional.empty() : rotary();
  }

  private static Optional<String> rotary() {
    return Optional.of("there is rotary embedding between queries and keys");
  }

  private static Optional<String> relativeObstacle(Layer layer) {
    String type = layer.config().node().path("position_embedding_type").asText("absolute");
    return type.equals("absolute")
        ? Optional.empty()
        : Optional.of("positions of type " + type + " act between queries and keys");
  }

  /** An unknown tensor in the attention could be a norm or a gate. */
  private Optional<String> stranger(Layer layer) {
    return layer.tensors().keySet().stream()
        .filter(
            name ->
                name.startsWith(module + ".")
                    && !inModule(name, HARMLESS)
                    && !isScaleOfHeads(layer, name))
        .filter(
            name -> layer.names().matrix(OF_MATRIX.matcher(name).replaceFirst(".weight")).isEmpty())
        .findFirst()
        .map(name -> "what " + name + " does in the attention is unknown");
  }

  private boolean isScaleOfHeads(Layer layer, String name) {
    return inModule(name, SCALE)
        && layer
            .tensor(name)
            .filter(info -> info.elements() <= layer.config().heads().orElse(1))
            .isPresent();
  }

  private boolean inModule(String name, Pattern pattern) {
    return name.startsWith(module + ".")
        && pattern.matcher(name.substring(module.length() + 1)).matches();
  }
}
