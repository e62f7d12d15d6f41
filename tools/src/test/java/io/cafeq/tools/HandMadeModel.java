package io.cafeq.tools;

import io.cafeq.engine.checkpoint.RawSafetensors;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.IntToDoubleFunction;

/** A Llama-shaped checkpoint of F32 tensors, each with values of the test's choice. */
final class HandMadeModel {
  static final String CONFIG = "{\"model_type\":\"llama\"}\n";

  private final List<String> entries = new ArrayList<>();
  private String config = CONFIG;
  private final ByteArrayOutputStream data = new ByteArrayOutputStream();

  /** Seeded values like those of weights. */
  static IntToDoubleFunction ordinary(long seed) {
    Random random = new Random(seed);
    return index -> random.nextGaussian() * 0.02;
  }

  /** The name of a matrix that is quantized by default. */
  static String down(int layer) {
    return "model.layers." + layer + ".mlp.down_proj.weight";
  }

  HandMadeModel matrix(String name, int rows, int columns, IntToDoubleFunction values) {
    return tensor(name, "[" + rows + "," + columns + "]", rows * columns, values);
  }

  HandMadeModel tensor(String name, String shape, int elements, IntToDoubleFunction values) {
    ByteBuffer bytes = ByteBuffer.allocate(elements * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < elements; i++) {
      bytes.putFloat((float) values.applyAsDouble(i));
    }
    entries.add(
        RawSafetensors.entry(name, "F32", shape, data.size(), data.size() + bytes.capacity()));
    data.writeBytes(bytes.array());
    return this;
  }

  /** Another config.json than one that tells no heads. */
  HandMadeModel config(String text) {
    config = text;
    return this;
  }

  /** Writes config.json and model.safetensors into a new folder. */
  Path write(Path folder) throws IOException {
    Files.createDirectories(folder);
    Files.writeString(folder.resolve("config.json"), config);
    RawSafetensors.write(
        folder, "model.safetensors", "{" + String.join(",", entries) + "}", data.toByteArray());
    return folder;
  }
}
