package io.cafeq.engine.family;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.engine.modelconfig.ModelConfig;
import io.cafeq.engine.modelconfig.TextConfig;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * What config.json says about the size of the text model and about models of other modalities
 * beside it.
 *
 * @param hidden channels of the text model's layers
 * @param layers of the text model
 * @param vocabularies sizes of vocabularies, whichever section names them
 * @param heads how many heads of any kind, groups of them and experts there are: a matrix with so
 *     few rows steers them
 * @param experts how many experts there are
 * @param others sections of other modalities
 * @param kind what the layers make together
 */
record ModelSections(
    OptionalLong hidden,
    OptionalLong layers,
    Set<Long> vocabularies,
    Set<Long> heads,
    Set<Long> experts,
    List<Section> others,
    Kind kind) {

  /**
   * A model of another modality.
   *
   * @param words of its name that name its tower too; none where they would fit any model
   * @param hidden 0 where it does not say, like layers
   */
  record Section(String name, Set<String> words, long hidden, long layers) {
    static Section of(String path, JsonNode node) {
      List<String> all = NameWords.of(path).last();
      Set<String> words = new HashSet<>(all);
      words.removeAll(LayerWords.ANY_MODEL);
      words.removeAll(LayerWords.TEXT);
      Set<String> own =
          words.isEmpty() && all.contains(ENCODER) ? Set.of(ENCODER) : Set.copyOf(words);
      return new Section(path, own, first(node, WIDTHS).orElse(0), first(node, LAYERS).orElse(0));
    }
  }

  /** What the layers make together. */
  enum Kind {
    /** One stack of layers that reads or writes text. */
    ONE_STACK,
    /** Two stacks of layers that make one model. */
    ENCODER_DECODER,
    /** A model of other modalities, which has no text model that it serves. */
    WITHOUT_TEXT
  }

  private static final List<String> HIDDEN =
      List.of("hidden_size", "n_embd", "d_model", "dim", "model_dim", "embed_dim");

  /** Those of other modalities have more names for it. */
  private static final List<String> WIDTHS =
      Stream.concat(HIDDEN.stream(), Stream.of("hidden_dim", "width", "n_state")).toList();

  private static final String ENCODER = "encoder";
  private static final List<String> LAYERS =
      List.of("num_hidden_layers", "n_layer", "n_layers", "num_layers", "depth", "encoder_layers");
  private static final Pattern VOCABULARY =
      Pattern.compile("(?:.*_)?(?:n_vocab|vocab_size)(?:_.*)?");
  private static final Pattern HEADS =
      Pattern.compile("(?:.*_)?(?:n_?heads?|num_(?:.*_)?heads?|heads)(?:_.*)?");
  private static final Pattern EXPERTS =
      Pattern.compile("(?:n|num|moe_num|moe_n)_?(?:.*_)?experts?");
  private static final Pattern SIZE = Pattern.compile(".*(?:_dim|_size|_tok|_token|_per_.*)");
  private static final Set<String> OF_OTHER_MODALITIES =
      Set.of(
          "patch_size",
          "image_size",
          "num_mel_bins",
          "sampling_rate",
          "sample_rate",
          "num_channels",
          "in_channels",
          "in_chans",
          "input_feat_per_channel",
          "codebook_size");
  private static final Set<String> TEXT_KEYS =
      Set.of("max_position_embeddings", "rope_theta", "bos_token_id");
  private static final int DEEPEST = 4;

  static ModelSections of(ModelConfig model) {
    JsonNode config = model.json();
    TextConfig text = model.text();
    Set<Long> vocabularies = new HashSet<>();
    Set<Long> heads = new HashSet<>();
    Set<Long> experts = new HashSet<>();
    List<Section> others = new ArrayList<>();
    boolean both =
        config.path("is_encoder_decoder").asBoolean()
            || config.has("num_decoder_layers")
            || config.has("decoder_layers");
    // beside a section for the text model, an encoder is not a side of that
    boolean foreignEncoder = !both && !text.section().isEmpty();
    visit(config, "", text.section(), foreignEncoder, others, vocabularies);
    for (Map.Entry<String, JsonNode> entry : text.node().properties()) {
      if (SIZE.matcher(entry.getKey()).matches()) {
        continue;
      }
      if (HEADS.matcher(entry.getKey()).matches()) {
        counts(entry.getValue(), heads);
      } else if (EXPERTS.matcher(entry.getKey()).matches()) {
        counts(entry.getValue(), experts);
      }
    }
    heads.addAll(experts);
    // a model of one modality alone has no towers
    boolean hasText =
        isUsual(text.section())
            || !vocabularies.isEmpty()
            || TEXT_KEYS.stream().anyMatch(text.node()::has);
    boolean hasOthers = !others.isEmpty() || OF_OTHER_MODALITIES.stream().anyMatch(config::has);
    Kind kind =
        !hasText && hasOthers ? Kind.WITHOUT_TEXT : both ? Kind.ENCODER_DECODER : Kind.ONE_STACK;
    return new ModelSections(
        first(text.node(), HIDDEN),
        first(text.node(), LAYERS),
        vocabularies,
        heads,
        experts,
        hasText ? others : List.of(),
        kind);
  }

  private static boolean isUsual(String section) {
    return TextConfig.isUsualSection(section.substring(section.lastIndexOf('.') + 1));
  }

  boolean encoderDecoder() {
    return kind == Kind.ENCODER_DECODER;
  }

  ModelSections {
    vocabularies = Set.copyOf(vocabularies);
    heads = Set.copyOf(heads);
    experts = Set.copyOf(experts);
    others = List.copyOf(others);
  }

  /**
   * @param path of the object, such as {@code thinker_config}; empty for the whole file
   * @param text path of the text model's own object
   * @param foreignEncoder whether a section called encoder is of another modality
   */
  private static void visit(
      JsonNode object,
      String path,
      String text,
      boolean foreignEncoder,
      List<Section> others,
      Set<Long> vocabularies) {
    for (Map.Entry<String, JsonNode> entry : object.properties()) {
      JsonNode value = entry.getValue();
      if (VOCABULARY.matcher(entry.getKey()).matches()) {
        counts(value, vocabularies);
      }
      String own = path.isEmpty() ? entry.getKey() : path + "." + entry.getKey();
      boolean ofText = text.equals(own) || text.startsWith(own + ".");
      boolean named =
          NameWords.of(entry.getKey()).endsWithAny(LayerWords.OTHER_MODALITIES, LayerWords.TEXT);
      boolean isOther =
          value.isObject()
              && !ofText
              && (named
                  || isModel(entry.getKey(), value, foreignEncoder)
                  || OF_OTHER_MODALITIES.stream().anyMatch(value::has));
      if (isOther) {
        others.add(Section.of(own, value));
      } else if (value.isObject() && own.chars().filter(c -> c == '.').count() < DEEPEST) {
        visit(value, own, text, foreignEncoder, others, vocabularies);
      } else if (named && value.isTextual() && entry.getKey().endsWith("tower")) {
        others.add(new Section(own, Set.of(), 0, 0));
      }
    }
  }

  /**
   * Whether it describes layers of its own, and neither a side of the text model nor drafts for it.
   */
  private static boolean isModel(String key, JsonNode object, boolean foreignEncoder) {
    NameWords words = NameWords.of(key);
    boolean isSide =
        LayerWords.ANY_MODEL.containsAll(words.last())
            && !(foreignEncoder && words.last().contains(ENCODER));
    return first(object, WIDTHS).isPresent()
        && first(object, LAYERS).isPresent()
        && !isSide
        && !words.hasAny(LayerWords.TEXT)
        && !words.hasAny(LayerWords.DRAFTS)
        && !words.hasAny(LayerWords.PARTS_OF_LAYERS);
  }

  private static void counts(JsonNode value, Collection<Long> to) {
    Stream<JsonNode> values = value.isArray() ? value.valueStream() : Stream.of(value);
    values
        .filter(each -> each.isIntegralNumber() && each.canConvertToLong() && each.longValue() > 0)
        .forEach(each -> to.add(each.longValue()));
  }

  private static OptionalLong first(JsonNode section, List<String> keys) {
    return keys.stream()
        .map(section::path)
        .filter(
            value -> value.isIntegralNumber() && value.canConvertToLong() && value.longValue() > 0)
        .mapToLong(JsonNode::longValue)
        .findFirst();
  }
}
