package io.cafeq.engine.quantize;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.block.ResultVerifier;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.block.UnitFileReader;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.WeightTensors;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.receipt.PairFigures;
import io.cafeq.engine.receipt.UnitFigures;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;

/** A result with its source. */
record MadeResult(Path source, Path result) {
  /** Sound with and without the source, and the errors measured are those of the figures. */
  void verify() {
    assertThat(ResultVerifier.verify(result, null, new StopFlag(), unit -> {}).problems())
        .isEmpty();
    try (Checkpoint checkpoint = Checkpoint.open(source)) {
      ResultVerifier.Verdict verdict =
          ResultVerifier.verify(result, checkpoint, new StopFlag(), unit -> {});
      assertThat(verdict.problems()).isEmpty();
      double said = 0;
      for (Path file : files()) {
        try (UnitFileReader reader = UnitFileReader.open(file)) {
          UnitFigures figures = reader.figures();
          said += figures == null ? 0 : figures.result().squaredError();
        }
      }
      assertThat(verdict.squaredError()).isCloseTo(said, Offset.offset(1e-3 * said + 1e-12));
    }
  }

  List<Path> files() {
    try (Stream<Path> files = Files.list(result.resolve("units"))) {
      return files.sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  List<Coupling> couplings() {
    List<Coupling> all = new ArrayList<>();
    for (Path file : files()) {
      try (UnitFileReader reader = UnitFileReader.open(file)) {
        all.addAll(reader.header().couplings());
      }
    }
    return all;
  }

  UnitFigures figures() {
    try (UnitFileReader reader =
        UnitFileReader.open(result.resolve("units/model.layers.0.self_attn.vo.arrow"))) {
      return Objects.requireNonNull(reader.figures());
    }
  }

  PairFigures pair() {
    return figures().pairs().getFirst();
  }

  TensorHeader header(String tensor) {
    try (ResultReader reader = ResultReader.open(result)) {
      return reader.header(tensor);
    }
  }

  double[] effective(String tensor) {
    try (ResultReader reader = ResultReader.open(result)) {
      TensorHeader header = reader.header(tensor);
      double[] all = new double[Math.toIntExact(header.allRows() * header.columns())];
      reader.forEachSlab(
          tensor, (row, weights) -> copy(weights, all, Math.toIntExact(row * weights.columns())));
      return all;
    }
  }

  double[] source(String tensor) {
    try (Checkpoint checkpoint = Checkpoint.open(source);
        Arena arena = Arena.ofConfined()) {
      var info = checkpoint.tensor(tensor).orElseThrow();
      var weight =
          ((WeightTensors.Reading.Weights) checkpoint.weights().read(info, false)).weight();
      FloatMatrix matrix = FloatMatrix.allocate(arena, weight.allRows(), weight.columns());
      checkpoint.readFloats(info, 0, 0, matrix);
      double[] all = new double[(int) matrix.elements()];
      copy(matrix, all, 0);
      return all;
    }
  }

  double[] sourceBias(Dtype dtype) {
    try (Checkpoint checkpoint = Checkpoint.open(source);
        Arena arena = Arena.ofConfined()) {
      var info = checkpoint.tensor(TinyModel.VALUE_BIAS).orElseThrow();
      MemorySegment bytes = arena.allocate(info.bytes(), 8);
      checkpoint.read(info, 0, bytes);
      return values(bytes, dtype);
    }
  }

  double[] bias(Dtype dtype) {
    try (ResultReader reader = ResultReader.open(result);
        Arena arena = Arena.ofConfined()) {
      MemorySegment all = arena.allocate(reader.header(TinyModel.VALUE_BIAS).bytes(), 8);
      reader.forEachRaw(
          TinyModel.VALUE_BIAS, (at, bytes) -> all.asSlice(at, bytes.byteSize()).copyFrom(bytes));
      return values(all, dtype);
    }
  }

  private static double[] values(MemorySegment bytes, Dtype dtype) {
    double[] values = new double[(int) bytes.byteSize() / dtype.bytes()];
    for (int i = 0; i < values.length; i++) {
      values[i] =
          switch (dtype) {
            case F64 -> bytes.getAtIndex(ValueLayout.JAVA_DOUBLE, i);
            case F32 -> bytes.getAtIndex(ValueLayout.JAVA_FLOAT, i);
            case F16 -> Float.float16ToFloat(bytes.getAtIndex(ValueLayout.JAVA_SHORT, i));
            case BF16 -> Float.intBitsToFloat(bytes.getAtIndex(ValueLayout.JAVA_SHORT, i) << 16);
            case F8_E4M3, F8_E5M2, F8_E8M0, I64, I32, I16, I8, U64, U32, U16, U8, BOOL ->
                throw new IllegalArgumentException(dtype.name());
          };
    }
    return values;
  }

  private static void copy(FloatMatrix from, double[] to, int at) {
    for (int i = 0; i < from.elements(); i++) {
      to[at + i] = from.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i);
    }
  }
}
