package io.cafeq.tools;

import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import io.cafeq.engine.tokens.Tokenizers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** What an evaluation asks of its model, its texts and the memory. */
final class EvaluationRemedies {
  private EvaluationRemedies() {}

  static Stream<Remedy> all() {
    return Stream.of(texts(), models(), memory()).flatMap(List::stream);
  }

  private static Place ready(Place place) throws IOException {
    Tokenizers.write(place.whole().model());
    return place;
  }

  private static CommandRun evaluate(Place place, String... more) {
    return Place.run(
        Place.with(
            List.of("evaluate", place.model().toString(), "--backend", "scalar", "--windows", "1"),
            more));
  }

  private static String text(Place place, String text) throws IOException {
    return Files.writeString(place.folder().resolve("text"), text).toString();
  }

  private static String longText(Place place) throws IOException {
    return text(place, "abc cab b a".repeat(100));
  }

  private static CommandRun read(Place place) throws IOException {
    return evaluate(place, "--text", longText(place), "--window", "16");
  }

  private static Remedy question(String name, String wrong, String words, String right) {
    return new Remedy(
        name,
        place -> evaluate(ready(place), "--choices", text(place, wrong)),
        ExitCode.USAGE,
        List.of(words),
        (place, failed) -> evaluate(place, "--choices", text(place, right)));
  }

  private static List<Remedy> texts() {
    String sound = "{\"context\": \"ab \", \"choices\": [\"c\", \"ba\"], \"answer\": 0}\n";
    return List.of(
        new Remedy(
            "nothing to evaluate",
            place -> evaluate(ready(place)),
            ExitCode.USAGE,
            List.of("give --text, --choices or both"),
            (place, failed) -> read(place)),
        new Remedy(
            "no windows",
            place -> evaluate(ready(place), "--text", longText(place), "--window", "1"),
            ExitCode.USAGE,
            List.of("--window at least 2"),
            (place, failed) -> evaluate(place, "--text", longText(place), "--window", "2")),
        new Remedy(
            "a text that is too short, and a longer one",
            place -> evaluate(ready(place), "--text", text(place, "abc"), "--window", "16"),
            ExitCode.USAGE,
            List.of("Give a longer text"),
            (place, failed) -> read(place)),
        new Remedy(
            "a text that is too short, and a smaller window",
            place -> evaluate(ready(place), "--text", text(place, "abc cab"), "--window", "16"),
            ExitCode.USAGE,
            List.of("or a smaller --window"),
            (place, failed) -> evaluate(place, "--text", text(place, "abc cab"), "--window", "3")),
        new Remedy(
            "a text in another encoding",
            place ->
                evaluate(
                    ready(place),
                    "--text",
                    Files.write(
                            place.folder().resolve("text"), new byte[] {(byte) 0xE4, (byte) 0xFF})
                        .toString()),
            ExitCode.USAGE,
            List.of("Give a text in UTF-8"),
            (place, failed) -> read(place)),
        question("no questions", "\n", "Give a file with one on each line", sound),
        question("a question that is no JSON", "{\n", "Write each question as", sound),
        question(
            "a choice that is blank",
            sound.replace("\"ba\"", "\"\""),
            "Write each question as",
            sound),
        question(
            "a choice that is too long",
            sound.replace("\"ba\"", "\"" + "cb".repeat(5000) + "\""),
            "Fix or remove that question",
            sound));
  }

  private static List<Remedy> models() {
    return List.of(
        new Remedy(
            "no tokenizer",
            place -> read(place.whole()),
            ExitCode.CHECKPOINT,
            List.of("Put the model's tokenizer.json into that folder"),
            (place, failed) -> read(tokenized(place))),
        new Remedy(
            "a number that is none",
            place -> {
              Place.edit(
                  ready(place).file("config.json"),
                  "\"num_attention_heads\"\\s*:\\s*4",
                  "\"num_attention_heads\": \"x\"");
              return read(place);
            },
            ExitCode.CHECKPOINT,
            List.of("Download config.json again, or fix it"),
            (place, failed) -> {
              Place.edit(
                  place.file("config.json"),
                  "\"num_attention_heads\": \"x\"",
                  "\"num_attention_heads\": 4");
              return read(place);
            }),
        new Remedy(
            "a model that cannot be run",
            place -> {
              Place.edit(
                  ready(place).file("config.json"),
                  "\"hidden_act\"\\s*:\\s*\"silu\"",
                  "\"hidden_act\": \"other\"");
              return read(place);
            },
            ExitCode.USAGE,
            List.of("this one can be quantized, but not run"),
            (place, failed) -> place.quantize()),
        new Remedy(
            "a reference of another size",
            place -> {
              ready(place);
              Path other = Files.createDirectory(place.folder().resolve("other"));
              Place larger = new Place(other);
              SampleCheckpoint.write(
                  new SampleShape(
                      2,
                      32,
                      64,
                      4,
                      2,
                      64,
                      Dtype.BF16,
                      false,
                      SampleShape.Distribution.GAUSSIAN,
                      0,
                      1_000_000),
                  1,
                  larger.model(),
                  new StopFlag());
              return evaluate(
                  place,
                  "--text",
                  longText(place),
                  "--window",
                  "16",
                  "--against",
                  larger.model().toString());
            },
            ExitCode.USAGE,
            List.of("Compare with the checkpoint that the model was made from"),
            (place, failed) ->
                evaluate(
                    place,
                    "--text",
                    longText(place),
                    "--window",
                    "16",
                    "--against",
                    place.model().toString())));
  }

  private static Place tokenized(Place place) throws IOException {
    Tokenizers.write(place.model());
    return place;
  }

  private static List<Remedy> memory() {
    return List.of(
        new Remedy(
            "windows that need more memory",
            place ->
                evaluate(
                    ready(place),
                    "--text",
                    text(place, "abc cab b a".repeat(2000)),
                    "--window",
                    "6144",
                    "--max-memory",
                    "768m"),
            ExitCode.USAGE,
            List.of("Run again with --max-memory"),
            (place, failed) ->
                evaluate(
                    place,
                    "--text",
                    text(place, "abc cab b a".repeat(2000)),
                    "--window",
                    "6144",
                    "--max-memory",
                    Place.found(failed, "--max-memory (\\d+m) or more"))));
  }
}
