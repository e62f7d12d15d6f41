package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.output.FolderLocks;
import io.cafeq.engine.output.OutputFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** Folders of results that are in the way, damaged, unfinished, or of something else. */
final class ResultRemedies {
  private static final String ANEW = "Delete it and run the same quantize command again";
  private static final String SAME = "un the same quantize command again";

  private ResultRemedies() {}

  /** Changes a result. */
  private interface Change {
    void of(Path result) throws IOException;
  }

  static Stream<Remedy> all() {
    return Stream.of(folders(), files(), exports()).flatMap(List::stream);
  }

  private static CommandRun verify(Place place) {
    return Place.run("verify", place.out().toString(), "--against", place.model().toString());
  }

  private static CommandRun export(Place place) {
    return export(place, place.another());
  }

  private static CommandRun export(Place place, Path to) {
    return Place.run("export", place.out().toString(), "--format", "dense", "--out", to.toString());
  }

  private static CommandRun export(Place place, String format, String... more) {
    List<String> export =
        List.of(
            "export",
            place.out().toString(),
            "--format",
            format,
            "--out",
            place.another().toString());
    return Place.run(Place.with(export, more));
  }

  private static String[] grid(String... more) {
    return Place.with(List.of("--no-fall-back", "--scales", "symmetric"), more);
  }

  private static CommandRun again(Place place, CommandRun failed) {
    CommandRun quantized = place.quantize();
    return quantized.exitCode() == 0 ? verify(place) : quantized;
  }

  private static Path unit(Path result) throws IOException {
    try (var units = Files.list(result.resolve("units"))) {
      return units.sorted().findFirst().orElseThrow();
    }
  }

  private static Remedy elsewhere(String name, Change change, String words) {
    return new Remedy(
        name,
        place -> {
          change.of(place.whole().out());
          return place.quantize();
        },
        ExitCode.USAGE,
        List.of(words),
        (place, failed) -> place.quantize(place.another()));
  }

  private static List<Remedy> folders() {
    return List.of(
        elsewhere(
            "a result's folder that is a file",
            out -> Files.writeString(out, "x"),
            "Choose another folder with --out"),
        elsewhere(
            "a result's folder with other files",
            out -> Files.writeString(Files.createDirectory(out).resolve("notes"), "x"),
            "Choose an empty or a new folder with --out"),
        new Remedy(
            "a result's folder in the checkpoint's",
            place -> place.whole().quantize(place.model().resolve("out")),
            ExitCode.USAGE,
            List.of("lies beside the checkpoint"),
            (place, failed) -> place.quantize()),
        new Remedy(
            "a result of another recipe, and another folder",
            place -> place.quantized().quantize("--bits", "3"),
            ExitCode.USAGE,
            List.of("Run again with --out and another folder"),
            (place, failed) -> place.quantize(place.another(), "--bits", "3")),
        new Remedy(
            "a result of another recipe, and its own recipe",
            place -> place.quantized().quantize("--bits", "3"),
            ExitCode.USAGE,
            List.of("with the recipe and the source of this one"),
            (place, failed) -> place.quantize()),
        new Remedy(
            "a folder that another run writes to",
            place -> {
              place.whole();
              try (Checkpoint checkpoint = Checkpoint.open(place.model());
                  OutputFolder held =
                      OutputFolder.open(
                          place.out(), checkpoint.localPath().orElseThrow(), new FolderLocks())) {
                assertThat(held.root()).exists();
                return place.quantize();
              }
            },
            ExitCode.USAGE,
            List.of("Wait until it ends"),
            (place, failed) -> place.quantize()),
        unknown(
            "a file that is no unit, moved",
            (place, failed) -> {
              Files.delete(place.out().resolve("units/other.arrow"));
              return place.quantize();
            }),
        unknown(
            "a file that is no unit, and another folder",
            (place, failed) -> place.quantize(place.another())));
  }

  private static Remedy unknown(String name, Remedy.Follow follow) {
    return new Remedy(
        name,
        place -> {
          Files.writeString(place.quantized().out().resolve("units/other.arrow"), "x");
          return place.quantize();
        },
        ExitCode.USAGE,
        List.of("Move them elsewhere, or choose another folder with --out"),
        follow);
  }

  private static Remedy unsound(String name, Change change, String words, Remedy.Follow follow) {
    return new Remedy(
        name,
        place -> {
          change.of(place.quantized().out());
          return verify(place);
        },
        ExitCode.FAILURE,
        List.of(words),
        follow);
  }

  private static List<Remedy> files() {
    return List.of(
        unsound(
            "a unit that is damaged",
            out -> Place.damage(unit(out)),
            ANEW,
            (place, failed) -> {
              Files.delete(unit(place.out()));
              return again(place, failed);
            }),
        unsound(
            "a unit that is missing",
            out -> Files.delete(unit(out)),
            "R" + SAME,
            ResultRemedies::again),
        unsound(
            "a side file that changed",
            out -> Files.writeString(out.resolve("config.json"), "{}"),
            ANEW,
            (place, failed) -> {
              Files.delete(place.out().resolve("config.json"));
              return again(place, failed);
            }),
        unsound(
            "a file that is no unit",
            out -> Files.writeString(out.resolve("units/other.arrow"), "x"),
            "Move it elsewhere",
            (place, failed) -> {
              Files.delete(place.out().resolve("units/other.arrow"));
              return verify(place);
            }),
        unsound(
            "a manifest that is damaged",
            out -> Files.writeString(out.resolve("manifest.json"), "{"),
            ANEW,
            (place, failed) -> {
              Files.delete(place.out().resolve("manifest.json"));
              return again(place, failed);
            }),
        unsound(
            "a result that is unfinished",
            out -> Files.delete(out.resolve("manifest.json")),
            "R" + SAME + " to finish it",
            ResultRemedies::again),
        new Remedy(
            "another checkpoint to verify against",
            place -> {
              place.quantized();
              new HandMadeModel()
                  .matrix(HandMadeModel.down(0), 32, 64, HandMadeModel.ordinary(1))
                  .write(place.another());
              return Place.run(
                  "verify", place.out().toString(), "--against", place.another().toString());
            },
            ExitCode.FAILURE,
            List.of("Compare with the checkpoint that the result was made from"),
            (place, failed) -> verify(place)),
        new Remedy(
            "no result",
            place -> Place.run("verify", place.whole().model().toString()),
            ExitCode.FAILURE,
            List.of("Give the folder that \"cafeq quantize --out\" wrote"),
            (place, failed) -> again(place, failed)),
        new Remedy(
            "an identity that is damaged, and another folder",
            place -> {
              Files.writeString(named(place.quantized(), "identity"), "{");
              return place.quantize();
            },
            ExitCode.FAILURE,
            List.of("Choose another folder with --out, or delete this one"),
            (place, failed) -> place.quantize(place.another())),
        new Remedy(
            "an identity that is damaged, and the folder is deleted",
            place -> {
              Files.writeString(named(place.quantized(), "identity"), "{");
              return place.quantize();
            },
            ExitCode.FAILURE,
            List.of("Choose another folder with --out, or delete this one"),
            (place, failed) -> {
              Place.delete(place.out());
              return place.quantize();
            }),
        new Remedy(
            "a report that is damaged",
            place -> {
              Files.writeString(place.quantized().out().resolve("report.json"), "{");
              return Place.run("inspect", place.out().toString());
            },
            ExitCode.FAILURE,
            List.of("Delete this one file and run the same command again"),
            (place, failed) -> {
              Files.delete(place.out().resolve("report.json"));
              return Place.run("inspect", place.out().toString());
            }),
        new Remedy(
            "a choice that is damaged",
            place -> {
              String[] target = {"--target-bpw", "6"};
              Files.writeString(named(place.quantized(target), "plan"), "{");
              return place.quantize(target);
            },
            ExitCode.FAILURE,
            List.of("Choose another folder with --out, or delete this one"),
            (place, failed) -> place.quantize(place.another(), "--target-bpw", "6")),
        statistics());
  }

  private static Path named(Place place, String part) throws IOException {
    try (var files = Files.walk(place.out())) {
      return files
          .filter(file -> file.getFileName().toString().contains(part))
          .findFirst()
          .orElseThrow();
    }
  }

  private static Remedy statistics() {
    String[] random = {"--statistics", "random", "--statistics-tokens", "64"};
    return new Remedy(
        "a file of statistics that is damaged",
        place -> {
          Place.damage(moments(place.quantized(random)));
          return verify(place);
        },
        ExitCode.FAILURE,
        List.of(ANEW),
        (place, failed) -> {
          Files.delete(moments(place));
          CommandRun quantized = place.quantize(random);
          return quantized.exitCode() == 0 ? verify(place) : quantized;
        });
  }

  private static Path moments(Place place) throws IOException {
    try (var files = Files.list(place.out().resolve("statistics"))) {
      return files.max(Comparator.comparingLong(file -> file.toFile().length())).orElseThrow();
    }
  }

  private static Remedy changed(String name, String words, Remedy.Follow follow) {
    return new Remedy(
        name,
        place -> {
          Path file = place.quantized().out().resolve("config.json");
          Files.writeString(file, Files.readString(file) + "\n");
          return export(place);
        },
        ExitCode.FAILURE,
        List.of(words),
        follow);
  }

  private static List<Remedy> exports() {
    return List.of(
        changed(
            "an export of a side file that changed, copied again",
            "Copy it again from the checkpoint",
            (place, failed) -> {
              Path file = place.out().resolve("config.json");
              Files.delete(file);
              Files.copy(place.model().resolve("config.json"), file);
              return export(place);
            }),
        changed(
            "an export of a side file that changed, made again",
            "or r" + SAME,
            (place, failed) -> {
              CommandRun quantized = place.quantize();
              return quantized.exitCode() == 0 ? export(place) : quantized;
            }),
        new Remedy(
            "an export of a unit that is missing",
            place -> {
              Files.delete(unit(place.quantized().out()));
              return export(place);
            },
            ExitCode.FAILURE,
            List.of("R" + SAME),
            (place, failed) -> {
              CommandRun quantized = place.quantize();
              return quantized.exitCode() == 0 ? export(place) : quantized;
            }),
        new Remedy(
            "an export into the result",
            place -> export(place.quantized(), place.out().resolve("dense")),
            ExitCode.USAGE,
            List.of("Choose a folder outside the result"),
            (place, failed) -> export(place)),
        new Remedy(
            "an export to a format that there is not",
            place -> export(place.quantized(), "densest"),
            ExitCode.USAGE,
            List.of(
                "no export format is called \"densest\"",
                "with --format: compressed-tensors, dense, "),
            (place, failed) -> export(place, "dense")),
        new Remedy(
            "an export with an option that the format does not have",
            place -> export(place.quantized(), "toy", "--option", "wide=1"),
            ExitCode.USAGE,
            List.of("Its options are: rows, strict"),
            (place, failed) -> export(place, "toy", "--option", "rows=1")),
        new Remedy(
            "an export with an option that the format does not take so",
            place -> export(place.quantized(), "toy", "--option", "rows=none"),
            ExitCode.USAGE,
            List.of("Give it a whole number from 1 to 1000"),
            (place, failed) -> export(place, "toy", "--option", "rows=1000")),
        new Remedy(
            "an export with an option to a format without any",
            place -> export(place.quantized(), "dense", "--option", "rows=1"),
            ExitCode.USAGE,
            List.of("Leave it out"),
            (place, failed) -> export(place, "dense")),
        new Remedy(
            "an export of a grid that the format cannot hold",
            place -> {
              place.whole().quantize("--bits", "3", "--scales", "offset");
              return export(place, "toy", "--option", "strict=true");
            },
            ExitCode.USAGE,
            List.of("--bits 8", "--scales symmetric"),
            (place, failed) -> {
              Place.delete(place.out());
              place.quantize("--bits", "8", "--scales", "symmetric");
              return export(place, "toy", "--option", "strict=true");
            }),
        new Remedy(
            "an export of transforms that the format cannot hold",
            place -> {
              place.whole().cafeq(place.out(), grid("--transform-bits", "16"));
              return export(place, "toy", "--option", "strict=true");
            },
            ExitCode.USAGE,
            List.of("--transform-bits 0", "--no-pairs"),
            (place, failed) -> {
              Place.delete(place.out());
              place.cafeq(place.out(), grid("--transform-bits", "0", "--no-pairs"));
              return export(place, "toy", "--option", "strict=true");
            }),
        occupied(
            "an export into a folder that is not empty, and another",
            (place, failed) -> export(place, place.folder().resolve("free"))),
        occupied(
            "an export into a folder that is not empty, and it is deleted",
            (place, failed) -> {
              Place.delete(place.another());
              return export(place);
            }));
  }

  private static Remedy occupied(String name, Remedy.Follow follow) {
    return new Remedy(
        name,
        place -> {
          Files.writeString(
              Files.createDirectory(place.quantized().another()).resolve("notes"), "x");
          return export(place);
        },
        ExitCode.USAGE,
        List.of("Choose another folder, or delete this one"),
        follow);
  }
}
