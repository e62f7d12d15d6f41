package io.cafeq.engine.export.gguf;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.checkpoint.JsonText;
import io.cafeq.engine.export.SideFileCopy;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.stream.StreamSupport;

/**
 * What a model's files say of its tokenizer.
 *
 * @param config tokenizer_config.json; missing where there is none
 * @param model what config.json says of the text model
 * @param template chat_template.jinja
 */
record TokenizerFiles(
    TokenizerJson tokenizer, JsonNode config, JsonNode model, Optional<String> template) {
  private static final long LARGEST = 512L << 20;

  /** Empty where the result has no tokenizer.json. */
  static Optional<TokenizerFiles> of(ResultReader result, JsonNode model) {
    return read(result, "tokenizer.json")
        .map(
            content ->
                new TokenizerFiles(
                    TokenizerJson.read(content),
                    read(result, "tokenizer_config.json")
                        .map(TokenizerFiles::tree)
                        .orElse(MissingNode.getInstance()),
                    model,
                    read(result, "chat_template.jinja")
                        .map(text -> new String(text, StandardCharsets.UTF_8))));
  }

  private static JsonNode tree(byte[] content) {
    try {
      return JsonText.tree(content);
    } catch (IOException e) {
      throw new EngineException(
          FailureKind.RESULT,
          "tokenizer_config.json is not JSON: "
              + (e instanceof JsonProcessingException fault
                  ? JsonText.fault(fault)
                  : e.getMessage()),
          "Copy it again from the checkpoint, or run the same quantize command again.",
          e);
    }
  }

  private static Optional<byte[]> read(ResultReader result, String name) {
    Optional<Manifest.SideFileEntry> entry =
        result.manifest().sideFiles().stream().filter(file -> file.path().equals(name)).findFirst();
    if (entry.isPresent() && entry.get().bytes() > LARGEST) {
      throw new EngineException(
          FailureKind.RESULT,
          name + " has " + entry.get().bytes() + " bytes, expected up to " + LARGEST,
          "Put the model's own file into the checkpoint and quantize again.");
    }
    return entry.map(file -> SideFileCopy.read(result, file));
  }

  /**
   * @param name bos, eos, unk or pad
   */
  Optional<Integer> specialId(String name) {
    JsonNode token = config.path(name + "_token");
    String content = token.isObject() ? token.path("content").asText() : token.asText();
    Optional<Integer> named =
        content.isEmpty()
            ? Optional.empty()
            : tokenizer.added().stream()
                .filter(added -> added.content().equals(content))
                .map(TokenizerJson.Added::id)
                .findFirst();
    return named
        .or(() -> TokenizerKeys.id(model.path(name + "_token_id")))
        .or(() -> name.equals("unk") ? unknown() : Optional.empty())
        .filter(id -> id < tokenizer.size());
  }

  private Optional<Integer> unknown() {
    return tokenizer.unknown().isEmpty()
        ? Optional.empty()
        : tokenizer.tokens().entrySet().stream()
            .filter(token -> token.getValue().equals(tokenizer.unknown()))
            .map(token -> token.getKey())
            .findFirst();
  }

  /** Whether a text gets that token at its beginning (bos) or end (eos). */
  boolean adds(String name) {
    JsonNode flag = config.path("add_" + name + "_token");
    if (flag.isBoolean()) {
      return flag.booleanValue();
    }
    JsonNode single = template(tokenizer.postProcessor()).path("single");
    JsonNode end = name.equals("bos") ? single.path(0) : single.path(single.size() - 1);
    String id = end.path("SpecialToken").path("id").asText();
    return !id.isEmpty()
        && specialId(name).map(wanted -> id.equals(tokenizer.tokens().get(wanted))).orElse(false);
  }

  private static JsonNode template(JsonNode processor) {
    return switch (processor.path("type").asText()) {
      case "TemplateProcessing" -> processor;
      case "Sequence" ->
          StreamSupport.stream(processor.path("processors").spliterator(), false)
              .map(TokenizerFiles::template)
              .filter(JsonNode::isObject)
              .findFirst()
              .orElse(MissingNode.getInstance());
      default -> MissingNode.getInstance();
    };
  }

  /** Whether a space goes before the first word. */
  boolean addsSpace() {
    return prepends(tokenizer.normalizer())
        || tokenizer.preTokenizer().path("type").asText().equals("Metaspace")
            && !tokenizer.preTokenizer().path("prepend_scheme").asText("always").equals("never");
  }

  private static boolean prepends(JsonNode normalizer) {
    return switch (normalizer.path("type").asText()) {
      case "Prepend" -> true;
      case "Sequence" ->
          StreamSupport.stream(normalizer.path("normalizers").spliterator(), false)
              .anyMatch(TokenizerFiles::prepends);
      default -> false;
    };
  }

  /** The template of conversations; of several, the one called default. */
  Optional<String> chatTemplate() {
    if (template.isPresent()) {
      return template;
    }
    JsonNode own = config.path("chat_template");
    if (own.isTextual()) {
      return Optional.of(own.textValue());
    }
    return StreamSupport.stream(own.spliterator(), false)
        .filter(each -> each.path("name").asText().equals("default"))
        .map(each -> each.path("template").asText())
        .findFirst();
  }
}
