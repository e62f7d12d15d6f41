package io.cafeq.engine.plan;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/** All families that are known, found by config.json. */
final class Families {
  private static final List<ModelFamily> KNOWN = List.of(
      new DecoderFamily("llama", Set.of("llama")),
      new DecoderFamily("mistral", Set.of("mistral")),
      new DecoderFamily("qwen2", Set.of("qwen2")),
      new DecoderFamily("qwen3", Set.of("qwen3")),
      new DecoderFamily("gemma", Set.of("gemma")),
      new DecoderFamily("gemma2", Set.of("gemma2")),
      new DecoderFamily("gemma3", Set.of("gemma3", "gemma3_text")));

  private Families() {}

  /** By {@code model_type}, and by that of {@code text_config}, where a multimodal model describes its text model. */
  static ModelFamily of(JsonNode config) {
    return modelTypes(config)
        .flatMap(type -> KNOWN.stream().filter(family -> family.accepts(type)))
        .findFirst()
        .orElseGet(UnknownFamily::new);
  }

  /** What config.json calls the model, for messages. */
  static Optional<String> modelType(JsonNode config) {
    return modelTypes(config).findFirst();
  }

  static String names() {
    return String.join(", ", KNOWN.stream().map(ModelFamily::name).toList());
  }

  private static Stream<String> modelTypes(JsonNode config) {
    return Stream.of(config.path("model_type"), config.path("text_config").path("model_type"))
        .filter(JsonNode::isTextual)
        .map(JsonNode::asText);
  }
}
