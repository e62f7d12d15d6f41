package io.cafeq.tools;

import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import io.cafeq.engine.tokens.Tokenizers;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** What taking statistics asks of a model, its tokenizer, a text and the memory. */
final class StatisticsRemedies {
  private static final String[] WIDE = {
    "--statistics-window", "6144", "--statistics-tokens", "6144", "--max-memory", "768m"
  };

  private StatisticsRemedies() {}

  static Stream<Remedy> all() {
    return Stream.of(models(), tokenizers(), texts(), memory()).flatMap(List::stream);
  }

  private static CommandRun take(Place place, String source, String... more) {
    return place.quantize(Place.with(List.of("--statistics", source), more));
  }

  private static CommandRun few(Place place, String source) {
    return take(place, source, "--statistics-tokens", "64", "--statistics-window", "16");
  }

  private static Place withTokenizer(Place place) throws IOException {
    Tokenizers.write(place.whole().model());
    return place;
  }

  private static List<Remedy> models() {
    return List.of(
        new Remedy(
            "a model that cannot be run",
            place -> {
              Place.edit(
                  place.whole().file("config.json"),
                  "\"model_type\"\\s*:\\s*\"[^\"]*\"",
                  "\"model_type\": \"gpt2\"");
              return few(place, "random");
            },
            ExitCode.USAGE,
            List.of("--statistics weights, which runs no model"),
            (place, failed) ->
                place.quantize("--minimum-coverage", "0", "--statistics", "weights")),
        new Remedy(
            "a norm that is missing",
            place -> {
              withoutNorm(place);
              return few(place, "random");
            },
            ExitCode.CHECKPOINT,
            List.of("Or run again with --statistics weights"),
            (place, failed) -> place.quantize("--statistics", "weights")));
  }

  private static void withoutNorm(Place place) throws IOException {
    Path file = place.whole().file(".safetensors");
    String latin = new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1);
    Files.write(
        file,
        latin
            .replace("post_attention_layernorm", "post_attention_layernxxx")
            .getBytes(StandardCharsets.ISO_8859_1));
  }

  private static List<Remedy> tokenizers() {
    String random = "Or run again with --statistics random or weights";
    return List.of(
        new Remedy(
            "no tokenizer, and it is added",
            place -> few(place.whole(), "text"),
            ExitCode.CHECKPOINT,
            List.of("Put the model's tokenizer.json into that folder"),
            (place, failed) -> {
              Tokenizers.write(place.model());
              return few(place, "text");
            }),
        new Remedy(
            "no tokenizer, and random tokens are taken",
            place -> few(place.whole(), "text"),
            ExitCode.CHECKPOINT,
            List.of(random),
            (place, failed) -> few(place, "random")),
        new Remedy(
            "no tokenizer, and moments are estimated",
            place -> few(place.whole(), "text"),
            ExitCode.CHECKPOINT,
            List.of(random),
            (place, failed) -> place.quantize("--statistics", "weights")),
        new Remedy(
            "a tokenizer that is no JSON",
            place -> {
              Files.writeString(place.whole().model().resolve("tokenizer.json"), "{");
              return few(place, "text");
            },
            ExitCode.CHECKPOINT,
            List.of("Download tokenizer.json again"),
            (place, failed) -> {
              Tokenizers.write(place.model());
              return few(place, "text");
            }),
        new Remedy(
            "a tokenizer of another model, and random tokens are taken",
            place -> {
              beyond(withTokenizer(place));
              return few(place, "text");
            },
            ExitCode.CHECKPOINT,
            List.of("or run again with --statistics random"),
            (place, failed) -> few(place, "random")),
        new Remedy(
            "a tokenizer of another model, and the right one is taken",
            place -> {
              beyond(withTokenizer(place));
              return few(place, "text");
            },
            ExitCode.CHECKPOINT,
            List.of("Take the tokenizer.json that belongs to this model"),
            (place, failed) -> {
              Tokenizers.write(place.model());
              return few(place, "text");
            }));
  }

  private static void beyond(Place place) throws IOException {
    Place.edit(place.model().resolve("tokenizer.json"), "\"\\?\": 5", "\"?\": 500");
  }

  private static List<Remedy> texts() {
    return List.of(
        text(
            "a text that is not there",
            "file:/no/such/text",
            "Give --statistics file: and a UTF-8 text",
            "file:"),
        text(
            "a text that is not there, and the built-in one",
            "file:/no/such/text",
            "or --statistics text",
            "text"),
        new Remedy(
            "a text that is too short, and a longer one",
            place ->
                few(
                    withTokenizer(place),
                    "file:" + Files.writeString(place.folder().resolve("short"), "ab")),
            ExitCode.USAGE,
            List.of("Give a longer text"),
            (place, failed) ->
                few(
                    place,
                    "file:"
                        + Files.writeString(
                            place.folder().resolve("long"), "abc cab ".repeat(100)))),
        new Remedy(
            "a text that is too short, and a smaller window",
            place ->
                take(
                    withTokenizer(place),
                    "file:"
                        + Files.writeString(place.folder().resolve("text"), "abc cab ".repeat(10))),
            ExitCode.USAGE,
            List.of("a smaller --statistics-window"),
            (place, failed) -> few(place, "file:" + place.folder().resolve("text"))),
        new Remedy(
            "a text in another encoding",
            place ->
                few(
                    withTokenizer(place),
                    "file:"
                        + Files.write(
                            place.folder().resolve("bad"), new byte[] {(byte) 0xE4, (byte) 0xFF})),
            ExitCode.USAGE,
            List.of("--statistics text for the built-in one"),
            (place, failed) -> few(place, "text")));
  }

  private static Remedy text(String name, String wrong, String words, String right) {
    return new Remedy(
        name,
        place -> few(withTokenizer(place), wrong),
        ExitCode.USAGE,
        List.of(words),
        (place, failed) ->
            few(
                place,
                right.equals("file:")
                    ? right
                        + Files.writeString(place.folder().resolve("long"), "abc cab ".repeat(100))
                    : right));
  }

  private static Remedy wide(String name, String words, Remedy.Follow follow) {
    return new Remedy(
        name, place -> take(place.whole(), "random", WIDE), ExitCode.USAGE, List.of(words), follow);
  }

  private static List<Remedy> memory() {
    return List.of(
        wide(
            "statistics that need more memory, and it is given",
            "--max-memory",
            (place, failed) ->
                take(
                    place,
                    "random",
                    "--statistics-window",
                    "6144",
                    "--statistics-tokens",
                    "6144",
                    "--max-memory",
                    Place.found(failed, "--max-memory (\\d+m) or more"))),
        wide(
            "statistics that need more memory, and a smaller window",
            "--statistics-window",
            (place, failed) ->
                take(
                    place,
                    "random",
                    "--statistics-window",
                    "64",
                    "--statistics-tokens",
                    "128",
                    "--max-memory",
                    "768m")),
        wide(
            "statistics that need more memory, and moments are estimated",
            "or with --statistics weights",
            (place, failed) -> place.quantize("--max-memory", "768m", "--statistics", "weights")),
        new Remedy(
            "texts of its own that need more memory",
            place -> {
              SampleCheckpoint.write(
                  new SampleShape(
                      1,
                      32,
                      64,
                      4,
                      2,
                      32768,
                      Dtype.BF16,
                      false,
                      SampleShape.Distribution.GAUSSIAN,
                      0,
                      1L << 30),
                  1,
                  place.model(),
                  new StopFlag());
              return take(
                  place,
                  "self",
                  "--statistics-window",
                  "16",
                  "--statistics-tokens",
                  "17600",
                  "--max-memory",
                  "768m");
            },
            ExitCode.USAGE,
            List.of("Use --statistics text or random"),
            (place, failed) ->
                take(
                    place,
                    "random",
                    "--statistics-window",
                    "16",
                    "--statistics-tokens",
                    "17600",
                    "--max-memory",
                    "768m")));
  }
}
