package io.cafeq.tools;

import io.cafeq.engine.checkpoint.RawSafetensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Options, recipe files, and what they ask of a model. */
final class RecipeRemedies {
  private RecipeRemedies() {}

  static Stream<Remedy> all() {
    return Stream.of(options(), recipes(), plans()).flatMap(List::stream);
  }

  private static Remedy options(String name, String wrong, String words, String right) {
    return new Remedy(
        name,
        place -> Place.run(("config " + wrong).split(" ")),
        ExitCode.USAGE,
        List.of(words),
        (place, failed) -> Place.run(("config " + right).split(" ")));
  }

  private static List<Remedy> options() {
    return List.of(
        options("an option with a typing error", "--bitz 4", "Did you mean --bits?", "--bits 4"),
        options("an option that does not exist", "--bitz 4", "\"cafeq config --help\"", "--help"),
        options(
            "a value out of range", "--bits 99", "Correct it, or leave the key out", "--bits 8"),
        options("a value left out", "--bits 99", "Run \"cafeq config\" to see every setting", ""),
        new Remedy(
            "no command",
            place -> Place.run(),
            ExitCode.USAGE,
            List.of("cafeq --help"),
            (place, failed) -> Place.run("--help")));
  }

  private static Remedy recipe(String name, String wrong, String words, String right) {
    return new Remedy(
        name,
        place -> recipe(place, wrong, "config"),
        ExitCode.USAGE,
        List.of(words),
        (place, failed) -> recipe(place, right, "config"));
  }

  private static CommandRun recipe(Place place, String text, String... command) throws IOException {
    Path file = Files.writeString(place.folder().resolve("recipe.conf"), text);
    return Place.run(Place.with(List.of(command), "--recipe", file.toString()));
  }

  private static List<Remedy> recipes() {
    return List.of(
        recipe(
            "a key with a typing error",
            "gruop = 64",
            "Did you mean grid.group?",
            "grid.group = 64"),
        recipe("a key that does not exist", "zzzzzzzz = 64", "The keys are", "lanes = 2"),
        recipe(
            "a key given twice",
            "grid.bits = 3\nrecipe.grid.bits = 4",
            "Remove one of the two",
            "grid.bits = 3"),
        recipe(
            "a section that is a value",
            "recipe = 3",
            "Put the keys of recipe in braces",
            "recipe { grid.bits = 3 }"),
        recipe(
            "a section with the name of an option",
            "pairs = off",
            "Write pairs.enabled instead",
            "pairs.enabled = off"),
        recipe(
            "an option as a key", "pair-steps = 9", "Write pairs.steps instead", "pairs.steps = 9"),
        recipe("no HOCON", "grid.bits = {", "Correct the line that is named", "grid.bits = 3"),
        recipe(
            "a pattern of nothing",
            "tensors.overrides = [{ bits = 3 }]",
            "\".*\" is all of them",
            "tensors.overrides = [{ pattern = \".*\", bits = 3 }]"),
        recipe(
            "a block that takes too long",
            "transform.block = 512",
            "Take a smaller block",
            "transform.block = 256"),
        recipe(
            "a block for another method",
            "transform.block = 512",
            "or method hadamard",
            "transform.block = 512\nmethod = hadamard"),
        new Remedy(
            "no recipe file",
            place -> Place.run("config", "--recipe", place.folder().resolve("recipe").toString()),
            ExitCode.USAGE,
            List.of("Check the path"),
            (place, failed) -> recipe(place, "grid.bits = 3", "config")));
  }

  private static List<Remedy> plans() {
    String block =
        "transform.block = 512\n"
            + "method = hadamard\n"
            + "tensors.overrides = [{ pattern = \".*down_proj.*\", %s }]";
    return List.of(
        new Remedy(
            "a block too large for an override",
            place ->
                recipe(
                    place.whole(),
                    block.formatted("method = rotation"),
                    "plan",
                    place.model().toString()),
            ExitCode.USAGE,
            List.of("Take a smaller block for it"),
            (place, failed) ->
                recipe(
                    place,
                    block.formatted("method = rotation, block = 64"),
                    "plan",
                    place.model().toString())),
        new Remedy(
            "a pattern that matches nothing, corrected",
            place -> Place.run("plan", place.whole().model().toString(), "--exclude", "down_proj"),
            ExitCode.USAGE,
            List.of(".* stands for any text"),
            (place, failed) ->
                Place.run("plan", place.model().toString(), "--exclude", ".*down_proj.*")),
        new Remedy(
            "fewer bits than are possible",
            place ->
                Place.run(
                    "plan", place.whole().model().toString(), "--target-bpw", "2", "--bits", "4"),
            ExitCode.USAGE,
            List.of("Ask for at least that"),
            (place, failed) ->
                Place.run(
                    "plan",
                    place.model().toString(),
                    "--bits",
                    "4",
                    "--target-bpw",
                    Place.found(failed, "the least possible is ([0-9.]+)"))),
        new Remedy(
            "fewer bits than are possible, with more to be chosen",
            place ->
                Place.run(
                    "plan", place.whole().model().toString(), "--target-bpw", "3", "--bits", "4"),
            ExitCode.USAGE,
            List.of("leave more to be chosen"),
            (place, failed) -> Place.run("plan", place.model().toString(), "--target-bpw", "3")),
        new Remedy(
            "a backend that does not exist, and one that does",
            place ->
                Place.run(
                    "quantize",
                    place.whole().model().toString(),
                    "--out",
                    place.out().toString(),
                    "--statistics",
                    "none",
                    "--backend",
                    "other"),
            ExitCode.USAGE,
            List.of("Choose one of: auto, "),
            (place, failed) -> place.quantize()),
        new Remedy(
            "a backend that does not exist, and the doctor is asked",
            place ->
                Place.run(
                    "quantize",
                    place.whole().model().toString(),
                    "--out",
                    place.out().toString(),
                    "--statistics",
                    "none",
                    "--backend",
                    "other"),
            ExitCode.USAGE,
            List.of("\"cafeq doctor\""),
            (place, failed) -> Place.run("doctor")),
        nothing("nothing to quantize, and it is included", "--include", "other\\.weight"),
        nothing("nothing to quantize, and that is fine", "--minimum-coverage", "0"),
        new Remedy(
            "nothing to quantize, and the tensors are looked at",
            RecipeRemedies::nothing,
            ExitCode.CHECKPOINT,
            List.of("\"cafeq inspect --all\""),
            (place, failed) -> Place.run("inspect", "--all", place.model().toString())),
        new Remedy(
            "layers in a layout that cannot be read",
            RecipeRemedies::unreadable,
            ExitCode.CHECKPOINT,
            List.of("Give --minimum-coverage 0"),
            (place, failed) -> place.quantize("--minimum-coverage", "0")));
  }

  private static Remedy nothing(String name, String... options) {
    return new Remedy(
        name,
        RecipeRemedies::nothing,
        ExitCode.CHECKPOINT,
        List.of("Name the matrices to quantize with --include, or give --minimum-coverage 0"),
        (place, failed) -> place.quantize(options));
  }

  private static CommandRun nothing(Place place) throws IOException {
    new HandMadeModel()
        .config("{\"model_type\": \"other\"}")
        .matrix("other.weight", 32, 64, HandMadeModel.ordinary(1))
        .write(place.model());
    return place.quantize();
  }

  private static CommandRun unreadable(Place place) throws IOException {
    Files.createDirectories(place.model());
    Files.writeString(place.model().resolve("config.json"), "{\"model_type\": \"other\"}");
    RawSafetensors.write(
        place.model(),
        "{"
            + RawSafetensors.entry("model.layers.0.mixer.weight", "F32", "[16,2,4,4]", 0, 2048)
            + "}",
        2048);
    return place.quantize();
  }
}
