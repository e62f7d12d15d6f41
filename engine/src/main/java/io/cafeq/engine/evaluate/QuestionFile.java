package io.cafeq.engine.evaluate;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.checkpoint.JsonText;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.FileFailure;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.Reader;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Questions in a file, a JSON object in UTF-8 on each line: {@code {"context": "...", "choices":
 * ["..."], "answer": 0}}.
 */
public final class QuestionFile {
  private static final String FORM =
      "{\"context\": \"...\", \"choices\": [\"...\", \"...\"], \"answer\": 0}";

  /**
   * Of a line: what its tokens take beside the heap, many times its length, is in no budget and has
   * to stay small.
   */
  static final int MOST_CHARACTERS = 1 << 20;

  private QuestionFile() {}

  /**
   * All questions in order, one at a time; blank lines are skipped. Kind USAGE, with file and line,
   * where one is of another form or too long.
   */
  public static void forEach(Path file, Consumer<Question> consumer) {
    JsonMapper mapper =
        JsonMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();
    boolean isEmpty = true;
    int number = 1;
    try (BufferedReader text = Files.newBufferedReader(file)) {
      for (Optional<String> line = line(text, file, number);
          line.isPresent();
          line = line(text, file, number)) {
        if (!line.get().isBlank()) {
          consumer.accept(question(mapper.readTree(line.get())));
          isEmpty = false;
        }
        number++;
      }
    } catch (JsonProcessingException e) {
      throw wrong(file, number, "is not JSON: " + JsonText.fault(e));
    } catch (IllegalArgumentException e) {
      throw wrong(file, number, String.valueOf(e.getMessage()));
    } catch (CharacterCodingException e) {
      throw wrong(file, number, "is not UTF-8");
    } catch (IOException e) {
      throw FileFailure.of("read", file, e);
    }
    if (isEmpty) {
      throw new EngineException(
          FailureKind.USAGE,
          file + ": has no questions",
          "Give a file with one on each line: " + FORM);
    }
  }

  /** Without its end; empty after the last one. */
  private static Optional<String> line(Reader text, Path file, int number) throws IOException {
    StringBuilder line = new StringBuilder();
    int next = text.read();
    if (next < 0) {
      return Optional.empty();
    }
    for (; next >= 0 && next != '\n'; next = text.read()) {
      if (line.length() == MOST_CHARACTERS) {
        throw new EngineException(
            FailureKind.USAGE,
            "%s, line %d: is longer than %,d characters".formatted(file, number, MOST_CHARACTERS),
            "Write each question on a line of its own; shorten or remove one that is so long.");
      }
      line.append((char) next);
    }
    return Optional.of(line.toString());
  }

  private static Question question(JsonNode node) {
    require(node.isObject(), "expected an object, found " + node.getNodeType());
    node.fieldNames()
        .forEachRemaining(
            name ->
                require(
                    name.equals("context") || name.equals("choices") || name.equals("answer"),
                    "unknown key \"" + name + "\""));
    JsonNode context = node.path("context");
    JsonNode choices = node.path("choices");
    JsonNode answer = node.path("answer");
    require(context.isTextual(), "expected a text as \"context\", found " + context.getNodeType());
    require(
        choices.isArray(),
        "expected an array of texts as \"choices\", found " + choices.getNodeType());
    require(answer.isInt(), "expected a whole number as \"answer\", found " + answer.getNodeType());
    List<String> texts = new ArrayList<>();
    for (JsonNode choice : choices) {
      require(choice.isTextual(), "expected texts in \"choices\", found " + choice.getNodeType());
      texts.add(choice.asText());
    }
    return new Question(context.asText(), texts, answer.intValue());
  }

  private static void require(boolean condition, String otherwise) {
    if (!condition) {
      throw new IllegalArgumentException(otherwise);
    }
  }

  private static EngineException wrong(Path file, int line, String what) {
    return new EngineException(
        FailureKind.USAGE, file + ", line " + line + ": " + what, "Write each question as " + FORM);
  }
}
