package io.cafeq.engine.quantize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.block.ResultVerifier;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.block.UnitFileReader;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.WeightTensors;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.model.Miniature;
import io.cafeq.engine.model.QuantizedFolder;
import io.cafeq.engine.plan.Coupling;
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
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Pairs from a checkpoint to a file that is proven against it. */
class PairUnitTest {
  @TempDir Path folder;

  @ParameterizedTest
  @EnumSource(value = Dtype.class, names = {"F64", "F32", "F16", "BF16"})
  void biasesGoTheWayOfTheirRows(Dtype dtype) {
    Made made = made(TinyModel.of(96, 4, 2, 24).with(dtype), Map.of("bits", "8", "fall-back", "false"));

    TensorHeader bias = made.header(TinyModel.VALUE_BIAS);
    assertThat(bias.content()).isEqualTo(new TensorHeader.Content.Folded());
    double[] source = made.sourceBias(dtype);
    double[] folded = made.bias(dtype);
    double[] outputs = made.source(TinyModel.OUTPUTS);
    double[] effective = made.effective(TinyModel.OUTPUTS);
    assertThat(distance(folded, source)).isGreaterThan(0.3);
    // What the bias adds to the layer's output, head by head, is what it added before.
    assertThat(distance(throughHeads(effective, folded, 96, 4, 2, 24), throughHeads(outputs, source, 96, 4, 2, 24)))
        .isLessThan(0.02);
    assertThat(distance(effective, outputs)).isGreaterThan(0.3);
  }

  @ParameterizedTest
  @CsvSource({
    // heads, key-value heads, channels: odd sizes, one head, one for all, each its own
    "3, 3, 48, 20", "1, 1, 32, 96", "6, 1, 16, 96", "4, 4, 7, 33", "4, 2, 13, 80"
  })
  void headsOfAnyShape(int heads, int keyValueHeads, int head, int hidden) {
    TinyModel model = TinyModel.of(hidden, heads, keyValueHeads, head);
    for (String group : List.of("channel", "8")) {
      Made made = made(model, Map.of("group", group, "fall-back", "false"));
      PairFigures pair = made.pair();
      assertThat(pair.weights()).isEqualTo((long) head * hidden * (heads + keyValueHeads));
      assertThat(pair.result()).isBetween(0.001, 0.3);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "expected-error, adam, nearest-plane", "log-sum-exp, adam, nearest", "sum-of-squares, cayley, algorithm-1",
    "weighted-sum-of-squares, adam, algorithm-1", "log-sum-exp, cayley, nearest-plane"
  })
  void everyLossAndRounding(String loss, String optimizer, String rounding) {
    Made made = made(TinyModel.of(64, 4, 2, 16), Map.of("pair-loss", loss, "pair-optimizer", optimizer, "pair-rounding",
        rounding, "fall-back", "false", "group", "channel"));
    assertThat(made.pair().result()).isBetween(0.01, 0.3);
    assertThat(made.pair().result()).isLessThanOrEqualTo(Objects.requireNonNull(made.pair().learned()) * (1 + 1e-9));
  }

  @Test
  void theRelativeErrorsOfAllStagesAreReported() {
    PairFigures pair = made(TinyModel.of(96, 4, 2, 24).with(TinyModel.VALUES, loud()), Map.of("pair-steps", "60",
        "group", "channel")).pair();
    assertThat(pair.plain()).isNotNull();
    assertThat(pair.plainEqualBits()).isNotNull();
    assertThat(pair.rotation()).isNotNull();
    assertThat(Objects.requireNonNull(pair.learned())).isLessThan(Objects.requireNonNull(pair.plainClipped()));
    assertThat(pair.result()).isLessThan(Objects.requireNonNull(pair.learned()));
  }

  @Test
  void aTransformThatIsUndoneLeavesTheSourcesOwnWeights() {
    TinyModel model = TinyModel.of(96, 4, 2, 24);
    Made folded = made(model, Map.of("fall-back", "false"));
    Made reversed = made(model, Map.of("fall-back", "false", "pair-reverse", "true"));

    for (String name : List.of(TinyModel.VALUES, TinyModel.OUTPUTS)) {
      assertThat(distance(folded.effective(name), folded.source(name))).isGreaterThan(0.3);
      assertThat(distance(reversed.effective(name), reversed.source(name))).isLessThan(0.2);
    }
    assertThat(reversed.header(TinyModel.VALUE_BIAS).content()).isEqualTo(new TensorHeader.Content.Kept());
    // int8: 24 columns of 24 bytes and a scale each, for two left heads and the four right heads that meet them.
    assertThat(reversed.figures().result().bits() - folded.figures().result().bits())
        .isEqualTo((2 + 4) * (8 * 24 * 24 + 16 * 24));
    assertThat(reversed.pair().result()).isBetween(0.01, 0.3);
  }

  @ParameterizedTest
  @ValueSource(strings = {"false", "true"})
  void aPairThatPlainRoundingBeatsFallsBack(String reverse) {
    // Every row has both ends and nothing between: plain rounding makes no error at all.
    TinyModel model = TinyModel.of(64, 4, 2, 16)
        .with(TinyModel.VALUES, index -> coin(index) ? 0.5 : -0.5)
        .with(TinyModel.OUTPUTS, index -> coin(index + 99_991) ? 0.25 : -0.25);
    Made made = made(model, Map.of("group", "channel", "pair-reverse", reverse, "scales", "f16"));
    assertThat(made.figures().fellBack()).as(made.pair().toString()).isTrue();
    assertThat(made.pair().result()).isLessThan(1e-3).isEqualTo(made.pair().plainEqualBits());
    assertThat(made.bias(Dtype.F32)).isEqualTo(made.sourceBias(Dtype.F32));
    assertThat(distance(made.effective(TinyModel.VALUES), made.source(TinyModel.VALUES))).isLessThan(1e-3);
    assertThat(made.header(TinyModel.VALUES).sections()).allSatisfy(section -> {
      assertThat(section.coding().transform()).isNull();
      assertThat(section.coding().coupled()).isTrue();
    });
  }

  @ParameterizedTest
  @ValueSource(strings = {TinyModel.VALUES, TinyModel.OUTPUTS})
  void aFactorOfZeros(String zeros) {
    Made made = made(TinyModel.of(64, 4, 2, 16).with(zeros, index -> 0), Map.of("fall-back", "false"));
    assertThat(made.pair().result()).isZero();
    assertThat(made.effective(zeros)).containsOnly(0);
  }

  @Test
  void aHeadOfZerosAmongOthers() {
    TinyModel model = TinyModel.of(64, 4, 2, 16)
        .with(TinyModel.VALUES, index -> index < 16 * 64 ? 0 : Math.sin(index * 0.37) * 0.1);
    assertThat(made(model, Map.of("fall-back", "false")).pair().result()).isBetween(0.001, 0.3);
  }

  @ParameterizedTest
  @ValueSource(strings = {TinyModel.VALUES, TinyModel.OUTPUTS, TinyModel.VALUE_BIAS})
  void whatIsNoNumberNamesItsTensor(String broken) {
    Path source = TinyModel.of(64, 4, 2, 16)
        .with(broken, index -> index == 9 ? Double.NaN : 0.01 * (index % 13)).write(folder.resolve("source"));
    assertThatThrownBy(() -> QuantizedFolder.make(source, folder.resolve("result"), keys(Map.of())))
        .isInstanceOfSatisfying(EngineException.class, e -> assertThat(e.kind()).isEqualTo(FailureKind.CHECKPOINT))
        .hasMessageContaining(broken);
  }

  @ParameterizedTest
  @ValueSource(strings = {"phi3", "gpt_neox", "gpt2", "deepseek_v3_dense", "deepseek_v3", "llama4", "bert", "mixtral"})
  void familiesWithTheirOwnLayouts(String family) throws IOException {
    Path source = folder.resolve("source");
    Miniature.of(family, 3).write(source, Miniature.Spread.APART);
    for (String reverse : List.of("false", "true")) {
      Made made = new Made(source, folder.resolve("result-" + reverse));
      QuantizedFolder.make(source, made.result, keys(Map.of("group", "16", "block", "16", "pair-reverse", reverse)));
      made.verify();
      QuantizedFolder.make(source, folder.resolve("again-" + reverse),
          keys(Map.of("group", "16", "block", "16", "pair-reverse", reverse)));
      assertThat(units(folder.resolve("again-" + reverse))).isEqualTo(units(made.result));
      assertThat(made.couplings()).isNotEmpty();
      if (family.equals("llama4") || family.startsWith("deepseek")) {
        assertThat(made.couplings()).extracting(Coupling::kind).contains(Coupling.Kind.QUERY_KEY);
      }
    }
  }

  private static Map<String, String> units(Path result) throws IOException {
    Map<String, String> units = new HashMap<>();
    try (Stream<Path> files = Files.list(result.resolve("units"))) {
      for (Path file : files.toList()) {
        units.put(file.getFileName().toString(), io.cafeq.engine.checkpoint.Digests.file(file, new StopFlag()));
      }
    }
    return units;
  }

  private static boolean coin(int index) {
    return (index * 2_654_435_761L >>> 17 & 1) == 0;
  }

  /** A few input channels that are several times larger than the others. */
  private static java.util.function.IntToDoubleFunction loud() {
    java.util.Random random = new java.util.Random(4);
    return index -> random.nextGaussian() * (index % 96 % 31 == 7 ? 0.5 : 0.05);
  }

  private static Map<String, String> keys(Map<String, String> changes) {
    Map<String, String> keys = new HashMap<>(Map.of("pair-steps", "15", "steps", "5", "group", "16"));
    keys.putAll(changes);
    return keys;
  }

  private Made made(TinyModel model, Map<String, String> changes) {
    Path root = folder.resolve(Integer.toHexString(model.hashCode() * 31 + changes.hashCode()));
    Made made = new Made(model.write(root.resolve("source")), root.resolve("result"));
    QuantizedFolder.make(made.source, made.result, keys(changes), true);
    made.verify();
    return made;
  }

  /** A result with its source. */
  private record Made(Path source, Path result) {
    /** Sound with and without the source, and the errors measured are those of the figures. */
    void verify() {
      assertThat(ResultVerifier.verify(result, null, new StopFlag(), unit -> {}).problems()).isEmpty();
      try (Checkpoint checkpoint = Checkpoint.open(source)) {
        ResultVerifier.Verdict verdict = ResultVerifier.verify(result, checkpoint, new StopFlag(), unit -> {});
        assertThat(verdict.problems()).isEmpty();
        double said = 0;
        for (Path file : files()) {
          try (UnitFileReader reader = UnitFileReader.open(file)) {
            UnitFigures figures = reader.figures();
            said += figures == null ? 0 : figures.result().squaredError();
          }
        }
        assertThat(verdict.squaredError()).isCloseTo(said, org.assertj.core.data.Offset.offset(1e-3 * said + 1e-12));
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
        reader.forEachSlab(tensor, (row, weights) -> copy(weights, all, Math.toIntExact(row * weights.columns())));
        return all;
      }
    }

    double[] source(String tensor) {
      try (Checkpoint checkpoint = Checkpoint.open(source);
          Arena arena = Arena.ofConfined()) {
        var info = checkpoint.tensor(tensor).orElseThrow();
        var weight = ((WeightTensors.Reading.Weights) checkpoint.weights().read(info, false)).weight();
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
        reader.forEachRaw(TinyModel.VALUE_BIAS, (at, bytes) -> all.asSlice(at, bytes.byteSize()).copyFrom(bytes));
        return values(all, dtype);
      }
    }

    private static double[] values(MemorySegment bytes, Dtype dtype) {
      double[] values = new double[(int) bytes.byteSize() / dtype.bytes()];
      for (int i = 0; i < values.length; i++) {
        values[i] = switch (dtype) {
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

  /** What a bias of the values adds to each output through each query head: [out, heads]. */
  private static double[] throughHeads(
      double[] outputs, double[] bias, int rows, int heads, int keyValueHeads, int head) {
    double[] added = new double[rows * heads];
    for (int row = 0; row < rows; row++) {
      for (int h = 0; h < heads; h++) {
        for (int i = 0; i < head; i++) {
          added[row * heads + h] += outputs[(row * heads + h) * head + i] * bias[h * keyValueHeads / heads * head + i];
        }
      }
    }
    return added;
  }

  /** Relative distance of two vectors. */
  private static double distance(double[] found, double[] expected) {
    double error = 0;
    double norm = 0;
    for (int i = 0; i < expected.length; i++) {
      error += (found[i] - expected[i]) * (found[i] - expected[i]);
      norm += expected[i] * expected[i];
    }
    return Math.sqrt(error / norm);
  }
}
