package io.cafeq.engine.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.modelconfig.ModelConfig;
import io.cafeq.engine.store.CheckpointStore;
import io.cafeq.engine.text.VisibleText;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * What the files beside the weights say of the program that quantized them.
 *
 * @param method fit for messages
 * @param place the file that says so
 */
record QuantizationOrigin(String method, String place) {
  private static final String CONFIG = "config.json";
  private static final String UNNAMED = "another program";
  private static final long MOST_BYTES = 1L << 20;
  private static final List<String> SIDE_FILES =
      List.of(
          "hf_quant_config.json",
          "quantize_config.json",
          "quant_config.json",
          "quantization_config.json");
  private static final Pattern MODEL =
      Pattern.compile("[A-Za-z0-9][\\w.-]{0,95}/[A-Za-z0-9][\\w.-]{0,95}");
  private static final Pattern BASE_MODEL =
      Pattern.compile(
          "(?m)^base_model:[ \\t]*(?:\\R[ \\t]*-[ \\t]*)?[\"']?(" + MODEL + ")[\"']?[ \\t]*$");

  /** Empty where no file says that weights are quantized. */
  static Optional<QuantizationOrigin> find(CheckpointStore store, ModelConfig config) {
    Optional<QuantizationOrigin> stated =
        QuantizationConfig.node(config)
            .map(node -> new QuantizationOrigin(method(node).orElse(UNNAMED), CONFIG));
    return stated.or(
        () ->
            SIDE_FILES.stream()
                .flatMap(name -> json(store, name).map(node -> ofSideFile(name, node)).stream())
                .findFirst());
  }

  /** Whether the files name the program, and do not only say that there was one. */
  boolean isNamed() {
    return !method.equals(UNNAMED);
  }

  private static QuantizationOrigin ofSideFile(String name, JsonNode node) {
    JsonNode quantization = node.path("quantization");
    String producer = node.path("producer").path("name").asText("");
    String method =
        method(node)
            .or(() -> method(quantization))
            .map(
                found ->
                    producer.isEmpty()
                        ? found
                        : VisibleText.shortened(producer) + " (" + found + ")")
            .orElse(node.has("w_bit") ? "AWQ" : node.has("bits") ? "GPTQ" : UNNAMED);
    return new QuantizationOrigin(method, name);
  }

  private static Optional<String> method(JsonNode node) {
    Optional<String> detail =
        Stream.of("quant_algo", "format", "bnb_4bit_quant_type", "weights")
            .map(node::path)
            .filter(JsonNode::isTextual)
            .map(JsonNode::textValue)
            .findFirst();
    Optional<String> method =
        Stream.of("quant_method", "quant_type")
            .map(node::path)
            .filter(JsonNode::isTextual)
            .map(JsonNode::textValue)
            .findFirst();
    Optional<String> both =
        method.isPresent() && detail.isPresent()
            ? Optional.of(method.get() + " (" + detail.get() + ")")
            : method.or(() -> detail);
    return both.map(VisibleText::shortened);
  }

  /** Where the weights came from, as far as the files tell: {@code owner/name}. */
  static Optional<String> baseModel(CheckpointStore store, JsonNode config) {
    return text(store, "README.md")
        .map(BASE_MODEL::matcher)
        .filter(Matcher::find)
        .map(found -> found.group(1))
        .or(
            () ->
                Stream.of("base_model", "_name_or_path")
                    .map(config::path)
                    .filter(JsonNode::isTextual)
                    .map(JsonNode::textValue)
                    .filter(name -> MODEL.matcher(name).matches())
                    .findFirst());
  }

  private static Optional<JsonNode> json(CheckpointStore store, String name) {
    return text(store, name)
        .flatMap(
            content -> {
              try {
                return Optional.of(new JsonMapper().readTree(content)).filter(JsonNode::isObject);
              } catch (IOException e) {
                return Optional.empty();
              }
            });
  }

  /** These files only help to say what is wrong: without them less is said. */
  private static Optional<String> text(CheckpointStore store, String name) {
    try {
      return store
          .find(name)
          .filter(file -> file.isFile() && file.size() <= MOST_BYTES)
          .map(file -> new String(store.read(name, MOST_BYTES), StandardCharsets.UTF_8));
    } catch (EngineException e) {
      return Optional.empty();
    }
  }
}
