package io.cafeq.engine.family;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** What config.json says of the text model: its {@code text_config} where it has one, else itself. */
record TextConfig(JsonNode node) {
  private static final Pattern GATE = Pattern.compile("(?i).*(attn|attention).*gate.*|.*gate.*(attn|attention).*");

  private static final List<String> HEAD_KEYS = List.of("num_attention_heads", "n_head", "n_heads",
      "num_key_value_heads", "head_dim", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim");
  /** Three times its square is still an int. */
  private static final int LARGEST_COUNT = 1 << 14;
  private static final int LARGEST_WIDTH = 1 << 24;

  static TextConfig of(JsonNode config) {
    JsonNode text = config.path("text_config");
    return new TextConfig(text.isObject() ? text : config);
  }

  /** The first of the keys that holds a whole number above 0; one beyond all reason counts as none. */
  OptionalInt count(String... keys) {
    return count(LARGEST_COUNT, keys);
  }

  private OptionalInt count(int largest, String... keys) {
    return Stream.of(keys)
        .map(node::path)
        .filter(value -> value.isInt() && value.intValue() > 0 && value.intValue() <= largest)
        .mapToInt(JsonNode::intValue)
        .findFirst();
  }

  OptionalInt layers() {
    return count("num_hidden_layers", "n_layer", "n_layers");
  }

  OptionalInt heads() {
    return count("num_attention_heads", "n_head", "n_heads");
  }

  /** Channels of a head: {@code head_dim}, else hidden size by heads where that is a whole number. */
  OptionalInt headSize() {
    OptionalInt given = count("head_dim");
    OptionalInt hidden = count(LARGEST_WIDTH, "hidden_size", "n_embd", "dim");
    if (given.isPresent() || hidden.isEmpty() || heads().isEmpty() || hidden.getAsInt() % heads().getAsInt() != 0) {
      return given;
    }
    return OptionalInt.of(hidden.getAsInt() / heads().getAsInt());
  }

  /** The key that should tell the heads and holds something else, such as a list with a number for each layer. */
  Optional<String> unclearHeads() {
    return HEAD_KEYS.stream()
        .filter(key -> !node.path(key).isMissingNode() && !node.path(key).isNull())
        .filter(key -> count(key).isEmpty())
        .findFirst();
  }

  /** The key that puts a gate upon the attention's output, whatever the family. */
  Optional<String> attentionGate() {
    return node.properties().stream()
        .filter(entry -> entry.getValue().asBoolean() && GATE.matcher(entry.getKey()).matches())
        .map(Map.Entry::getKey)
        .findFirst();
  }
}
