package io.cafeq.tools;

import io.cafeq.engine.checkpoint.RawSafetensors;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Files of a checkpoint that are missing, damaged or something else. */
final class CheckpointRemedies {
  private static final String INDEX = "model.safetensors.index.json";
  private static final String SHARD = ".safetensors";

  private CheckpointRemedies() {}

  /** Breaks one file of the model. */
  private interface Break {
    void file(Path file) throws IOException;
  }

  static Stream<Remedy> all() {
    return Stream.of(places(), damage(), indexes(), otherModels()).flatMap(List::stream);
  }

  /** A broken file is said to be downloaded again, which putting it back stands for. */
  private static Remedy again(String name, String ending, Break breaking, String... words) {
    return new Remedy(
        name,
        place -> {
          Path file = place.sharded().file(ending);
          place.keep(file);
          breaking.file(file);
          return place.plan();
        },
        ExitCode.CHECKPOINT,
        List.of(words),
        (place, failed) -> {
          place.renew();
          return place.plan();
        });
  }

  private static String first(Place place) throws IOException {
    return place.file(SHARD).getFileName().toString().replaceFirst("-\\d+-of", "-00001-of");
  }

  private static List<Remedy> damage() {
    return List.of(
        again(
            "a truncated shard",
            SHARD,
            CheckpointRemedies::shorten,
            "ownload or copy the file again"),
        again(
            "a shard that is empty",
            SHARD,
            file -> Files.write(file, new byte[0]),
            "download or copy it again"),
        again("a shard that is missing", SHARD, Files::delete, "Download or copy the missing file"),
        again(
            "a header that is no JSON",
            SHARD,
            file -> Files.write(file, RawSafetensors.bytes("{x", new byte[8])),
            "download or copy it again"),
        again(
            "a header with a type of its own",
            SHARD,
            file ->
                Files.write(
                    file,
                    RawSafetensors.bytes(
                        "{" + RawSafetensors.entry("a", "F99", "[2]", 0, 8) + "}", new byte[8])),
            "Use a checkpoint whose tensors"),
        again(
            "a header written wrongly",
            SHARD,
            file ->
                Files.write(
                    file,
                    RawSafetensors.bytes(
                        "{" + RawSafetensors.entry("a", "F32", "[2]", 0, 4) + "}", new byte[8])),
            "get it again"),
        again(
            "an index that is no JSON",
            INDEX,
            file -> Files.writeString(file, "{"),
            "Download the index again"),
        again(
            "an index of files elsewhere",
            INDEX,
            file -> Place.edit(file, "\"model-00001", "\"../model-00001"),
            "unless you trust its origin"),
        again(
            "an index of another format",
            INDEX,
            file -> Files.writeString(file, "{\"weight_map\": {\"a\": \"pytorch_model.bin\"}}"),
            "Convert the checkpoint"),
        again(
            "a config.json that is no JSON",
            "config.json",
            file -> Files.writeString(file, "{x}"),
            "Download config.json again, or fix it"),
        again(
            "a config.json that is a link to nothing",
            "config.json",
            file -> {
              Files.delete(file);
              Files.createSymbolicLink(file, Path.of("nowhere"));
            },
            "Download the file again, or copy it in place of the link"),
        new Remedy(
            "tiles of scales of no size",
            place -> {
              Place.edit(
                  place.whole().file("config.json"),
                  "\\{",
                  "{\"quantization_config\": {\"weight_block_size\": 0},");
              return place.plan();
            },
            ExitCode.CHECKPOINT,
            List.of("or fix it"),
            (place, failed) -> {
              Place.edit(
                  place.file("config.json"),
                  "\"weight_block_size\": 0",
                  "\"weight_block_size\": [128, 128]");
              return place.plan();
            }));
  }

  private static void shorten(Path file) throws IOException {
    try (RandomAccessFile opened = new RandomAccessFile(file.toFile(), "rw")) {
      opened.setLength(opened.length() - 3);
    }
  }

  private static List<Remedy> indexes() {
    return List.of(
        new Remedy(
            "an index that names what no shard has",
            place -> {
              Place.edit(
                  place.sharded().file(INDEX),
                  "(\"weight_map\"\\s*:\\s*\\{)",
                  "\"weight_map\": {\"model.layers.0.mlp.other.weight\": \""
                      + first(place)
                      + "\",");
              return place.plan();
            },
            ExitCode.CHECKPOINT,
            List.of("remove their names from the index"),
            (place, failed) -> {
              Place.edit(place.file(INDEX), "\"model.layers.0.mlp.other.weight\": \"[^\"]*\",", "");
              return place.plan();
            }),
        new Remedy(
            "two copies of which the index names none",
            place -> {
              Path model = Files.createDirectories(place.model());
              Files.writeString(model.resolve("config.json"), HandMadeModel.CONFIG);
              for (String name : List.of("a", "b")) {
                RawSafetensors.write(
                    model,
                    name + SHARD,
                    "{"
                        + RawSafetensors.entry(HandMadeModel.down(0), "F32", "[32,32]", 0, 4096)
                        + ","
                        + RawSafetensors.entry(
                            HandMadeModel.down(name.equals("a") ? 1 : 2),
                            "F32",
                            "[32,32]",
                            4096,
                            8192)
                        + "}",
                    new byte[8192]);
              }
              Files.writeString(
                  model.resolve(INDEX),
                  "{\"weight_map\": {\"%s\": \"a%s\", \"%s\": \"b%s\"}}"
                      .formatted(HandMadeModel.down(1), SHARD, HandMadeModel.down(2), SHARD));
              return place.plan();
            },
            ExitCode.CHECKPOINT,
            List.of("Write into weight_map"),
            (place, failed) -> {
              Place.edit(
                  place.file(INDEX),
                  "(\"weight_map\": \\{)",
                  "\"weight_map\": {\"" + HandMadeModel.down(0) + "\": \"b.safetensors\",");
              return place.plan();
            }),
        shards(
            "shards without their index, and it is downloaded",
            "Download " + INDEX + " as well",
            (place, failed) -> {
              place.renew();
              return place.plan();
            }),
        shards(
            "shards without their index, and one of them is given",
            "give the path of one of the files",
            (place, failed) -> Place.run("inspect", place.file(SHARD).toString())),
        new Remedy(
            "an index of another name",
            place -> {
              Path index = place.sharded().file(INDEX);
              Files.move(index, index.resolveSibling("model.safetensors.index.fp16.json"));
              return place.plan();
            },
            ExitCode.CHECKPOINT,
            List.of("Rename"),
            (place, failed) -> {
              Path named = place.model().resolve(Place.found(failed, "Rename (\\S+) to"));
              Files.move(
                  named, place.model().resolve(Place.found(failed, "Rename \\S+ to (\\S+) if")));
              return place.plan();
            }));
  }

  private static Remedy shards(String name, String words, Remedy.Follow follow) {
    return new Remedy(
        name,
        place -> {
          Path index = place.sharded().file(INDEX);
          place.keep(index);
          Files.delete(index);
          return place.plan();
        },
        ExitCode.CHECKPOINT,
        List.of(words),
        follow);
  }

  private static List<Remedy> places() {
    String give = "Give the folder of a Hugging Face model";
    return List.of(
        new Remedy(
            "no such path",
            place -> place.plan(),
            ExitCode.USAGE,
            List.of(give),
            (place, failed) -> place.whole().plan()),
        new Remedy(
            "an empty folder",
            place -> {
              Files.createDirectory(place.model());
              return place.plan();
            },
            ExitCode.CHECKPOINT,
            List.of(give),
            (place, failed) -> place.whole().plan()),
        new Remedy(
            "the folder above the model's",
            place -> {
              place.whole();
              return Place.run("plan", place.folder().toString());
            },
            ExitCode.CHECKPOINT,
            List.of("Give that folder instead"),
            (place, failed) ->
                Place.run("plan", Place.found(failed, "a model is in (.*?/model)\\b"))));
  }

  private static Remedy otherModel(String name, String file, String content, String words) {
    return new Remedy(
        name,
        place -> {
          Files.createDirectories(place.model());
          Files.writeString(place.model().resolve(file), content);
          Files.writeString(place.model().resolve("config.json"), HandMadeModel.CONFIG);
          return place.plan();
        },
        ExitCode.CHECKPOINT,
        List.of(words),
        (place, failed) -> {
          Place.delete(place.model());
          return place.whole().plan();
        });
  }

  /** Whose model is in a folder below. */
  private static Remedy folder(String name, String file, String content) {
    return new Remedy(
        name,
        place -> {
          Files.writeString(place.whole().folder().resolve(file), content);
          return Place.run("plan", place.folder().toString());
        },
        ExitCode.CHECKPOINT,
        List.of("Give the folder of "),
        (place, failed) ->
            Place.run("plan", Place.found(failed, "Give the folder of [^/]*(/.*/model)\\.")));
  }

  private static List<Remedy> otherModels() {
    return List.of(
        otherModel("weights of PyTorch", "pytorch_model.bin", "x", "Convert it to safetensors"),
        otherModel(
            "weights of llama.cpp",
            "model.gguf",
            "x",
            "Take the original model with its safetensors files"),
        otherModel(
            "an adapter",
            "adapter_config.json",
            "{\"peft_type\": \"LORA\"}",
            "Merge it into its base model"),
        folder("a pipeline", "model_index.json", "{\"_class_name\": \"FluxPipeline\"}"),
        folder("a model for embeddings", "modules.json", "[{\"idx\": 0, \"path\": \"model\"}]"),
        new Remedy(
            "a result",
            place -> Place.run("plan", place.quantized().out().toString()),
            ExitCode.CHECKPOINT,
            List.of("cafeq export", "--format dense --out DIR"),
            (place, failed) -> {
              String said =
                  Place.found(failed, "cafeq export ('[^']+'|\\S+) --format dense --out DIR")
                      .replace("'", "");
              CommandRun export =
                  Place.run(
                      "export", said, "--format", "dense", "--out", place.another().toString());
              return export.exitCode() == 0
                  ? Place.run("plan", place.another().toString())
                  : export;
            }),
        new Remedy(
            "an unfinished result",
            place -> {
              Files.delete(place.quantized().out().resolve("manifest.json"));
              return Place.run("plan", place.out().toString());
            },
            ExitCode.CHECKPOINT,
            List.of("the same quantize command as before"),
            (place, failed) -> place.quantize()));
  }
}
