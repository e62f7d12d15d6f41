package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.model.Miniature;
import io.cafeq.engine.tokens.Tokenizers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code cafeq evaluate} prints and how it ends, on a miniature. */
class EvaluateCommandTest {
  private static final JsonMapper ONE_DOCUMENT =
      JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();

  @TempDir Path folder;

  private Path model;
  private Path text;
  private Path questions;

  @BeforeEach
  void write() throws IOException {
    model = folder.resolve("model");
    Miniature.of("llama", 1).write(model, Miniature.Spread.ONE);
    Tokenizers.write(model);
    text = Files.writeString(folder.resolve("text.txt"), "abc cab b a".repeat(4000));
    questions =
        Files.writeString(
            folder.resolve("questions.jsonl"),
            """
            {"context": "ab ", "choices": ["c", "ba"], "answer": 0}
            {"context": "cc", "choices": [" c", " ba", "b"], "answer": 2}
            """);
  }

  @Test
  void aCheckpointsPerplexity() throws IOException {
    JsonNode found =
        json(
            "evaluate",
            model.toString(),
            "--text",
            text.toString(),
            "--windows",
            "3",
            "--window",
            "16");
    assertThat(found.get("tokens").asLong()).isEqualTo(48);
    assertThat(found.get("windows").asInt()).isEqualTo(3);
    assertThat(found.get("window").asInt()).isEqualTo(16);
    assertThat(found.get("perplexity").asDouble()).isGreaterThan(1);
    assertThat(found.get("perplexity_standard_error").asDouble()).isPositive();
    assertThat(found.has("against")).isFalse();
    assertThat(found.has("choices")).isFalse();
  }

  @Test
  void whichHeadWasTakenIsSaid() throws IOException {
    Path config = model.resolve("config.json");
    Files.writeString(
        config,
        Files.readString(config)
            .replaceFirst(
                "\"tie_word_embeddings\"\\s*:\\s*false", "\"tie_word_embeddings\": true"));
    CommandRun run =
        CommandRun.of(
            "evaluate",
            model.toString(),
            "--text",
            text.toString(),
            "--windows",
            "1",
            "--window",
            "8");
    assertThat(run.exitCode()).as(run.toString()).isZero();
    assertThat(run.err()).contains("lm_head.weight", "the stored head is taken");
  }

  @Test
  void aResultBesideItsCheckpoint() throws IOException {
    Path result = folder.resolve("result");
    CommandRun made =
        CommandRun.of(
            "quantize",
            model.toString(),
            "--out",
            result.toString(),
            "--method",
            "rtn",
            "--bits",
            "4",
            "--group",
            "16");
    assertThat(made.exitCode()).as(made.toString()).isZero();

    JsonNode found =
        json(
            "evaluate",
            result.toString(),
            "--text",
            text.toString(),
            "--choices",
            questions.toString(),
            "--windows",
            "3",
            "--window",
            "16",
            "--against",
            model.toString(),
            "--max-memory",
            "1g",
            "--backend",
            "scalar");

    JsonNode plain =
        json(
            "evaluate",
            model.toString(),
            "--text",
            text.toString(),
            "--choices",
            questions.toString(),
            "--windows",
            "3",
            "--window",
            "16",
            "--backend",
            "scalar");
    JsonNode against = found.get("against");
    assertThat(against.get("model").asText()).isEqualTo(model.toString());
    assertThat(against.get("perplexity")).isEqualTo(plain.get("perplexity"));
    assertThat(against.get("perplexity_standard_error"))
        .isEqualTo(plain.get("perplexity_standard_error"));
    assertThat(against.get("choices")).isEqualTo(plain.get("choices"));
    assertThat(against.get("kl_divergence").asDouble()).isPositive().isLessThan(1);
    assertThat(against.get("top_agreement").asDouble()).isBetween(0.1, 1.0);
    assertThat(against.get("output_errors")).hasSize(16);
    assertThat(against.get("output_errors"))
        .allSatisfy(
            error -> {
              assertThat(error.get("layer").asInt()).isBetween(0, 1);
              assertThat(error.get("matrix").asText()).isNotBlank();
              assertThat(error.get("error").asDouble()).isBetween(0.01, 0.5);
            });
    JsonNode choices = found.get("choices");
    assertThat(choices.get("questions").asInt()).isEqualTo(2);
    assertThat(choices.get("accuracy").asDouble()).isIn(0.0, 0.5, 1.0);
    assertThat(choices.get("normalised_accuracy").asDouble()).isIn(0.0, 0.5, 1.0);
    assertThat(choices.get("accuracy_standard_error").asDouble()).isBetween(0.0, 0.51);
  }

  @Test
  void peopleGetATable() {
    CommandRun run =
        CommandRun.of(
            "evaluate",
            model.toString(),
            "--text",
            text.toString(),
            "--choices",
            questions.toString(),
            "--windows",
            "3",
            "--window",
            "16",
            "--against",
            model.toString());
    assertThat(run.exitCode()).as(run.toString()).isZero();
    assertThat(run.out())
        .contains(
            "perplexity",
            "KL divergence",
            "0.0000 nats",
            "100.00 %",
            "questions",
            "right, by length",
            "relative output errors",
            "v+o",
            "down");
  }

  @Test
  void aSingleWindowHasNoStandardError() throws IOException {
    JsonNode found =
        json(
            "evaluate",
            model.toString(),
            "--text",
            text.toString(),
            "--windows",
            "1",
            "--window",
            "16");
    assertThat(found.has("perplexity_standard_error")).isFalse();
  }

  @Test
  void windowsOfAGemmaBeginWithItsToken() throws IOException {
    Path gemma = folder.resolve("gemma");
    Miniature.of("gemma2", 1).write(gemma, Miniature.Spread.ONE);
    Tokenizers.write(gemma);
    Files.writeString(text, "abc cab b a".repeat(5));
    JsonNode found =
        json(
            "evaluate",
            gemma.toString(),
            "--text",
            text.toString(),
            "--windows",
            "2",
            "--window",
            "16");
    assertThat(found.get("beginning_token").asInt()).isEqualTo(2);
    assertThat(found.get("tokens").asLong()).isEqualTo(32);
    assertThat(
            json(
                    "evaluate",
                    model.toString(),
                    "--text",
                    text.toString(),
                    "--windows",
                    "2",
                    "--window",
                    "16")
                .has("beginning_token"))
        .isFalse();
  }

  @Test
  void aHeapThatIsTooSmallForAllQuestionsSaysWhatToDo() throws Exception {
    String choices = "\"c\",".repeat(200_000);
    Files.writeString(
        questions, "{\"context\": \"ab\", \"choices\": [" + choices + "\"ba\"], \"answer\": 0}\n");
    RunningProgram.Result result =
        RunningProgram.cafeq(
                List.of("-Xms16m", "-Xmx24m"),
                List.of(
                    "evaluate",
                    model.toString(),
                    "--choices",
                    questions.toString(),
                    "--backend",
                    "scalar"))
            .await();
    assertThat(result.exitCode()).isEqualTo(ExitCode.FAILURE);
    assertThat(result.err())
        .contains("out of memory", "Split the file of --choices")
        .doesNotContain("lanes");
  }

  @Test
  void aTextShorterThanAskedIsEvaluatedAsFarAsItGoes() throws IOException {
    CommandRun run =
        CommandRun.of(
            "evaluate",
            model.toString(),
            "--text",
            text.toString(),
            "--window",
            "32",
            "--windows",
            "5000",
            "--json");
    assertThat(run.exitCode()).as(run.toString()).isZero();
    int windows = ONE_DOCUMENT.readTree(run.out()).get("windows").asInt();
    assertThat(windows).isBetween(100, 4999);
    assertThat(run.err()).contains("has only " + windows + " whole windows of 32");
  }

  /** The miniature was made for 32 positions; the last token of a window needs none. */
  @Test
  void windowsBeyondTheTrainedPositionsAreEvaluatedWithAWarning() throws IOException {
    CommandRun run =
        CommandRun.of(
            "evaluate", model.toString(), "--text", text.toString(), "--window", "34", "--json");
    assertThat(run.exitCode()).as(run.toString()).isZero();
    assertThat(run.err()).contains("cafeq: windows of 34 tokens go beyond the 32 positions");
    JsonNode warnings = ONE_DOCUMENT.readTree(run.out()).get("warnings");
    assertThat(warnings).hasSize(1);
    assertThat(warnings.get(0).asText()).contains("34 tokens", "32 positions");
    JsonNode within =
        json("evaluate", model.toString(), "--text", text.toString(), "--window", "33");
    assertThat(within.has("warnings")).isFalse();
  }

  @Test
  void oneFileWithConfigBesideItIsACheckpointToo() throws IOException {
    Path file = model.resolve("model.safetensors");
    double ofFile =
        json("evaluate", file.toString(), "--text", text.toString(), "--window", "16")
            .get("perplexity")
            .asDouble();
    double ofFolder =
        json("evaluate", model.toString(), "--text", text.toString(), "--window", "16")
            .get("perplexity")
            .asDouble();
    assertThat(ofFile).isCloseTo(ofFolder, within(0.0));
  }

  @Test
  void wrongRequestsAreUsageErrors() throws IOException {
    refused(ExitCode.USAGE, "--text, --choices or both");
    refused(ExitCode.USAGE, "--window at least 2", "--text", text.toString(), "--window", "1");
    refused(
        ExitCode.USAGE, "a window takes 100000", "--text", text.toString(), "--window", "100000");
    refused(ExitCode.USAGE, "max-memory", "--text", text.toString(), "--max-memory", "much");
    refused(
        ExitCode.USAGE,
        "MiB are left",
        "--text",
        text.toString(),
        "--max-memory",
        "768m",
        "--window",
        "30000",
        "--windows",
        "1",
        "--choices",
        questions.toString());
    refused(
        ExitCode.USAGE, "no backend is called", "--text", text.toString(), "--backend", "abacus");
    Path other = folder.resolve("other");
    Miniature shallow = Miniature.of("llama", 1);
    shallow.write(other, Miniature.Spread.ONE);
    Files.writeString(
        other.resolve("config.json"),
        shallow.config().deepCopy().put("num_hidden_layers", 1).toString());
    refused(
        ExitCode.USAGE,
        "has 2 layers, 64 channels and a vocabulary of 50",
        "--choices",
        questions.toString(),
        "--against",
        other.toString());
    Files.writeString(questions, "{\"context\": \"a\"}\n");
    refused(ExitCode.USAGE, "questions.jsonl, line 1", "--choices", questions.toString());
    refused(ExitCode.USAGE, "--text", "--text");
  }

  @Test
  void whatCannotBeRunIsRefused() throws IOException {
    refused(ExitCode.FAILURE, "nothing.txt", "--text", folder.resolve("nothing.txt").toString());
    Files.delete(model.resolve("tokenizer.json"));
    refused(ExitCode.CHECKPOINT, "tokenizer.json", "--text", text.toString());
    Tokenizers.write(model);
    Files.writeString(model.resolve("config.json"), "{\"model_type\": \"gpt2\"}");
    JsonNode error = refused(ExitCode.USAGE, "gpt2", "--text", text.toString(), "--window", "16");
    assertThat(error.get("remedy").asText()).doesNotContain("--statistics");
    Files.createDirectory(model.resolve("units"));
    refused(ExitCode.FAILURE, "partial result", "--text", text.toString());
    model = folder.resolve("elsewhere");
    refused(ExitCode.USAGE, "elsewhere", "--text", text.toString());
  }

  private JsonNode refused(int exitCode, String message, String... options) throws IOException {
    List<String> arguments = new ArrayList<>(List.of("evaluate", model.toString(), "--json"));
    arguments.addAll(List.of(options));
    CommandRun run = CommandRun.of(arguments.toArray(String[]::new));
    assertThat(run.exitCode()).as(run.toString()).isEqualTo(exitCode);
    JsonNode error = ONE_DOCUMENT.readTree(run.out()).get("error");
    assertThat(error.get("code").asInt()).isEqualTo(exitCode);
    assertThat(error.get("message").asText()).contains(message);
    assertThat(error.get("remedy").asText()).isNotBlank();
    assertThat(run.err()).contains("cafeq: ").doesNotContain(" at io.cafeq");
    return error;
  }

  private static JsonNode json(String... arguments) throws IOException {
    List<String> all = new ArrayList<>(List.of(arguments));
    all.add("--json");
    CommandRun run = CommandRun.of(all.toArray(String[]::new));
    assertThat(run.exitCode()).as(run.toString()).isZero();
    assertThat(run.out()).doesNotContain("NaN", "null");
    return ONE_DOCUMENT.readTree(run.out());
  }
}
