package io.cafeq.engine.export.dense;

import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.SafetensorsWriter;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * Unpacks weights that keep their bytes in a result: they and their scales, which can come from
 * different units, are put into a file of their own and read from there in 4 MiB of floats.
 */
final class PackedTensor {
  private static final int WEIGHTS = 1 << 20;

  private PackedTensor() {}

  /** Gives all rows in order, counted through all experts; the folder is as before afterwards. */
  static void forEachSlab(
      ResultReader result,
      WeightTensor packed,
      Path folder,
      StopFlag stop,
      ResultReader.WeightConsumer consumer) {
    Path temporary = folder.resolve("packed.tmp");
    Path file = temporary.resolve("packed.safetensors");
    try {
      Files.createDirectory(temporary);
      try {
        copy(result, packed, file, stop);
        read(packed, file, stop, consumer);
      } finally {
        Files.deleteIfExists(file);
        Files.delete(temporary);
      }
    } catch (IOException e) {
      throw FileFailure.of("write", file, e);
    }
  }

  private static void copy(ResultReader result, WeightTensor packed, Path file, StopFlag stop) {
    try (SafetensorsWriter writer =
        SafetensorsWriter.create(
            file, packed.sources().stream().map(Entry::of).toList(), Map.of())) {
      for (Entry entry : writer.order()) {
        result.forEachRaw(
            entry.name(),
            (offset, bytes) -> {
              stop.check();
              writer.append(entry.name(), bytes);
            });
      }
      writer.finish();
    }
  }

  private static void read(
      WeightTensor packed, Path file, StopFlag stop, ResultReader.WeightConsumer consumer) {
    try (Checkpoint checkpoint = Checkpoint.open(file);
        TensorReader reader = checkpoint.newReader();
        Arena arena = Arena.ofConfined()) {
      WeightTensor weight = packed.moved(info -> in(checkpoint, info));
      int rows = weight.allRows();
      int together = Math.clamp(WEIGHTS / weight.columns(), 1, rows);
      FloatMatrix slab = FloatMatrix.allocate(arena, together, weight.columns());
      for (int row = 0; row < rows; row += together) {
        stop.check();
        FloatMatrix weights = slab.slice(0, Math.min(together, rows - row));
        reader.readFloats(weight, row, 0, weights);
        consumer.accept(row, weights);
      }
    }
  }

  private static TensorInfo in(Checkpoint checkpoint, TensorInfo info) {
    return checkpoint.tensor(info.name()).orElseThrow();
  }
}
