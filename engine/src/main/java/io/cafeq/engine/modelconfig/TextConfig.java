package io.cafeq.engine.modelconfig;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What config.json says of the text model, under one name for each key: files put it at the top,
 * into {@code text_config} or into a section of another name, leave keys to the objects around it,
 * and name them as their library did at the time.
 *
 * @param node the text model's keys, under the names that this program asks for; what the text
 *     model's own section leaves out is that of the objects around it. Embeddings are tied where
 *     any of them says so
 * @param section where the text model's own keys are, such as {@code thinker_config.text_config};
 *     empty for the top
 * @param places where the file has the keys
 * @param modelTypes what the file calls the model, from the outside in
 */
public record TextConfig(
    ObjectNode node, String section, Map<String, String> places, List<String> modelTypes) {
  private static final Pattern GATE =
      Pattern.compile("(?i).*(attn|attention).*gate.*|.*gate.*(attn|attention).*");
  static final String TIED = "tie_word_embeddings";
  private static final String LAYERS = "num_hidden_layers";
  private static final String HEADS = "num_attention_heads";
  private static final String HEAD_SIZE = "head_dim";
  private static final String HIDDEN = "hidden_size";
  private static final List<String> HEAD_KEYS =
      List.of(
          HEADS,
          "num_key_value_heads",
          HEAD_SIZE,
          "qk_nope_head_dim",
          "qk_rope_head_dim",
          "v_head_dim");

  /** Three times its square is still an int. */
  private static final int LARGEST_COUNT = 1 << 14;

  private static final int LARGEST_WIDTH = 1 << 24;
  private static final int DEEPEST = 3;

  public TextConfig {
    places = Map.copyOf(places);
    modelTypes = List.copyOf(modelTypes);
  }

  /** An object that describes the text model or surrounds one that does. */
  private record Level(String path, JsonNode object) {
    String place(String key) {
      return path.isEmpty() ? key : path + "." + key;
    }
  }

  static TextConfig of(JsonNode config) {
    List<Level> levels = levels(new Level("", config), 0);
    ObjectNode node = JsonNodeFactory.instance.objectNode();
    Map<String, String> places = new HashMap<>();
    levels.subList(0, levels.size() - 1).forEach(level -> add(level, false, node, places));
    add(levels.getLast(), true, node, places);
    levels.stream()
        .filter(level -> value(level.object(), TIED).equals(Optional.of(BooleanNode.TRUE)))
        .findFirst()
        .ifPresent(
            level -> {
              node.set(TIED, BooleanNode.TRUE);
              places.put(TIED, level.place(TIED));
            });
    List<String> types =
        levels.stream()
            .map(level -> level.object().path("model_type"))
            .filter(JsonNode::isTextual)
            .map(JsonNode::textValue)
            .toList();
    return new TextConfig(node, levels.getLast().path(), places, types);
  }

  /** From the whole file to the text model's own section. */
  private static List<Level> levels(Level level, int depth) {
    List<Level> levels = new ArrayList<>(List.of(level));
    if (depth < DEEPEST) {
      section(level.object())
          .map(key -> new Level(level.place(key), level.object().path(key)))
          .ifPresent(inner -> levels.addAll(levels(inner, depth + 1)));
    }
    return levels;
  }

  private static Optional<String> section(JsonNode object) {
    Optional<String> usual =
        ConfigKeys.SECTIONS.stream()
            .filter(key -> object.path(key).isObject() && !object.path(key).isEmpty())
            .filter(
                key ->
                    key.equals(ConfigKeys.SECTIONS.getFirst())
                        || describesModel(object.path(key), 0))
            .findFirst();
    if (usual.isPresent() || value(object, LAYERS).isPresent()) {
      return usual;
    }
    return object.properties().stream()
        .filter(
            entry ->
                entry.getValue().isObject()
                    && !ConfigKeys.OTHER_PART.matcher(entry.getKey()).matches())
        .filter(entry -> describesModel(entry.getValue(), 0))
        .map(Map.Entry::getKey)
        .findFirst();
  }

  private static boolean describesModel(JsonNode object, int depth) {
    return value(object, LAYERS).isPresent()
        || depth < DEEPEST
            && ConfigKeys.SECTIONS.stream()
                .anyMatch(
                    key ->
                        object.path(key).isObject() && describesModel(object.path(key), depth + 1));
  }

  /** Adds what one level says to what the levels around it said. */
  private static void add(Level level, boolean own, ObjectNode node, Map<String, String> places) {
    level
        .object()
        .properties()
        .forEach(
            entry -> {
              String key = entry.getKey();
              boolean foreign =
                  !own && entry.getValue().isObject() && !ConfigKeys.OWN_OBJECTS.contains(key);
              // Where a section says null of a token it leaves that to the file; of anything else
              // null is a word.
              boolean silent =
                  entry.getValue().isNull() && node.hasNonNull(key) && key.endsWith("_token_id");
              if (!foreign && !silent) {
                put(key, entry.getValue(), level.place(key), node, places);
              }
            });
    ConfigKeys.OTHER_NAMES.forEach(
        (key, others) -> {
          if (!level.object().hasNonNull(key)) {
            others.stream()
                .filter(level.object()::hasNonNull)
                .findFirst()
                .ifPresent(
                    other ->
                        put(key, level.object().path(other), level.place(other), node, places));
          }
        });
  }

  private static void put(
      String key, JsonNode value, String place, ObjectNode node, Map<String, String> places) {
    node.set(key, value);
    places.put(key, place);
  }

  private static Optional<JsonNode> value(JsonNode object, String key) {
    return Stream.concat(
            Stream.of(key), ConfigKeys.OTHER_NAMES.getOrDefault(key, List.of()).stream())
        .filter(object::hasNonNull)
        .findFirst()
        .map(object::path);
  }

  /** Where the file has a key, or would have it. */
  public String place(String key) {
    return places.getOrDefault(key, section.isEmpty() ? key : section + "." + key);
  }

  /** Whether a key is of the text model's own section, not of what is around it. */
  public boolean isOwn(String key) {
    return section.isEmpty() || place(key).startsWith(section + ".");
  }

  /** Whether a key is only another name for one that this program asks for. */
  public boolean isOtherName(String key) {
    return ConfigKeys.OTHER_NAMES.values().stream().anyMatch(names -> names.contains(key));
  }

  /** A whole number above 0; one beyond all reason counts as none. */
  public OptionalInt count(String key) {
    return count(LARGEST_COUNT, key);
  }

  private OptionalInt count(int largest, String key) {
    JsonNode value = node.path(key);
    return value.isInt() && value.intValue() > 0 && value.intValue() <= largest
        ? OptionalInt.of(value.intValue())
        : OptionalInt.empty();
  }

  /** The most tokens that the model takes at once. */
  public OptionalInt longestInput() {
    return count(Integer.MAX_VALUE, "max_position_embeddings");
  }

  /** Entries of the vocabulary that have a token. */
  public OptionalInt vocabulary() {
    return count(Integer.MAX_VALUE, "vocab_size");
  }

  /** Experts that a token is sent to. */
  public OptionalInt chosenExperts() {
    return count(Integer.MAX_VALUE, "num_experts_per_tok");
  }

  /** Tokens that begin, end or fill up a text. */
  public Set<Integer> specialTokens() {
    return Stream.of("bos_token_id", "eos_token_id", "pad_token_id")
        .map(node::path)
        .flatMap(ids -> ids.isArray() ? ids.valueStream() : Stream.of(ids))
        .filter(id -> id.isInt() && id.intValue() >= 0)
        .map(JsonNode::intValue)
        .collect(Collectors.toUnmodifiableSet());
  }

  /** Whether the head is tied to the embeddings; empty where no part of the file says. */
  public Optional<Boolean> tied() {
    return node.hasNonNull(TIED) ? Optional.of(node.path(TIED).asBoolean()) : Optional.empty();
  }

  /** Whether a section of that name is one in which files describe their text model. */
  public static boolean isUsualSection(String name) {
    return ConfigKeys.SECTIONS.contains(name);
  }

  public OptionalInt layers() {
    return count(LAYERS);
  }

  public OptionalInt heads() {
    return count(HEADS);
  }

  /** Heads of keys and values where there may be fewer of them. */
  public OptionalInt keyHeads() {
    return count("num_key_value_heads");
  }

  /**
   * Channels of a head: {@code head_dim}, else hidden size by heads where that is a whole number.
   */
  public OptionalInt headSize() {
    OptionalInt given = count(HEAD_SIZE);
    OptionalInt hidden = count(LARGEST_WIDTH, HIDDEN);
    if (given.isPresent()
        || hidden.isEmpty()
        || heads().isEmpty()
        || hidden.getAsInt() % heads().getAsInt() != 0) {
      return given;
    }
    return OptionalInt.of(hidden.getAsInt() / heads().getAsInt());
  }

  /**
   * The kind of attention of each layer: {@code layer_types}, or what the older {@code
   * sliding_window_pattern} comes to, a number n (every n-th layer is full) or letters that repeat.
   * Empty where neither is there.
   */
  public Optional<List<String>> layerTypes() {
    JsonNode types = node.path("layer_types");
    if (types.isArray()) {
      List<String> listed = new ArrayList<>();
      types.forEach(type -> listed.add(type.asText()));
      return Optional.of(listed);
    }
    JsonNode pattern = node.path("sliding_window_pattern");
    int layers = layers().orElse(0);
    if (pattern.isInt() && pattern.intValue() > 0) {
      return Optional.of(
          Stream.iterate(1, layer -> layer + 1)
              .limit(layers)
              .map(layer -> attention(layer % pattern.intValue() != 0))
              .toList());
    }
    if (pattern.isTextual() && pattern.textValue().matches("[LG]+")) {
      String letters = pattern.textValue();
      return Optional.of(
          Stream.iterate(0, layer -> layer + 1)
              .limit(layers)
              .map(layer -> attention(letters.charAt(layer % letters.length()) == 'L'))
              .toList());
    }
    return Optional.empty();
  }

  private static String attention(boolean sliding) {
    return sliding ? "sliding_attention" : "full_attention";
  }

  /**
   * The key that should tell the heads and holds something else, such as a list with a number for
   * each layer.
   */
  public Optional<String> unclearHeads() {
    return HEAD_KEYS.stream()
        .filter(node::hasNonNull)
        .filter(key -> count(key).isEmpty())
        .findFirst()
        .map(this::place);
  }

  /** The key that puts a gate upon the attention's output, whatever the family. */
  public Optional<String> attentionGate() {
    return node.properties().stream()
        .filter(entry -> entry.getValue().asBoolean() && GATE.matcher(entry.getKey()).matches())
        .map(Map.Entry::getKey)
        .findFirst();
  }
}
