package io.cafeq.engine.compute;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;

/** The golden cases of the numerics; tests that ask for them skip where they are not there. */
public final class Golden implements AutoCloseable {
  private final Checkpoint file;

  private Golden(Checkpoint file) {
    this.file = file;
  }

  public static Golden open() {
    Optional<Path> found =
        Stream.iterate(Path.of("").toAbsolutePath(), Objects::nonNull, Path::getParent)
            .map(folder -> folder.resolve("shared/reference/golden.safetensors"))
            .filter(Files::exists)
            .findFirst();
    assumeTrue(found.isPresent(), "the golden cases are not here");
    return new Golden(Checkpoint.open(found.get()));
  }

  public double[] doubles(String name) {
    TensorInfo tensor = file.tensor(name).orElseThrow();
    double[] values = new double[(int) tensor.elements()];
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bytes = arena.allocate(tensor.bytes(), 8);
      file.read(tensor, 0, bytes);
      for (int i = 0; i < values.length; i++) {
        values[i] =
            tensor.dtype() == Dtype.U8
                ? bytes.get(ValueLayout.JAVA_BYTE, i) & 0xFF
                : bytes.getAtIndex(ValueLayout.JAVA_DOUBLE, i);
      }
    }
    return values;
  }

  public int[] shape(String name) {
    return file.tensor(name).orElseThrow().shape().stream().mapToInt(Math::toIntExact).toArray();
  }

  /** A matrix of doubles as the nearest floats. */
  public FloatMatrix matrix(Arena arena, String name) {
    int[] shape = shape(name);
    return matrix(arena, doubles(name), shape[0], shape[1]);
  }

  public static FloatMatrix matrix(Arena arena, double[] values, int rows, int columns) {
    FloatMatrix matrix = FloatMatrix.allocate(arena, rows, columns);
    for (int i = 0; i < values.length; i++) {
      matrix.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) values[i]);
    }
    return matrix;
  }

  @Override
  public void close() {
    file.close();
  }
}
