package io.cafeq.engine.checkpoint;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Formats of weights that are not read, and how to come by one that is; those that need the least
 * work come first.
 */
enum WeightFormat {
  TORCH(
      "Convert it to safetensors with transformers: load it with from_pretrained, then"
          + " save_pretrained into a new folder.",
      "bin",
      "pt",
      "pth",
      "ckpt",
      "distcp"),
  GGUF(
      "Take the original model with its safetensors files; a GGUF file is made for llama.cpp, most"
          + " often from them.",
      "gguf",
      "ggml"),
  ONNX(
      "Take the model that the ONNX files were exported from, with its safetensors files.",
      "onnx",
      "onnx_data"),
  TENSORFLOW(
      "Convert it to safetensors with transformers 4: load it with from_pretrained and"
          + " from_tf=True, then save_pretrained into a new folder.",
      "h5",
      "tflite",
      "keras"),
  FLAX(
      "Convert it to safetensors with transformers 4: load it with from_pretrained and"
          + " from_flax=True, then save_pretrained into a new folder.",
      "msgpack"),
  OTHER(
      "Take the model in Hugging Face form, with safetensors files; the program that wrote this one"
          + " may export it.",
      "npz",
      "ot",
      "mlmodel",
      "nemo",
      "pdparams",
      "mlpackage",
      "engine");

  private final String remedy;
  private final List<String> extensions;

  WeightFormat(String remedy, String... extensions) {
    this.remedy = remedy;
    this.extensions = List.of(extensions);
  }

  /** By the ending of a file's name, in any case. */
  static Optional<WeightFormat> of(String fileName) {
    String ending = fileName.substring(fileName.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT);
    return Arrays.stream(values())
        .filter(format -> fileName.contains(".") && format.extensions.contains(ending))
        .findFirst();
  }

  /** The one of all these files that is the least work. */
  static Optional<WeightFormat> best(List<String> fileNames) {
    return fileNames.stream().flatMap(name -> of(name).stream()).min(Comparator.naturalOrder());
  }

  String remedy() {
    return remedy;
  }
}
