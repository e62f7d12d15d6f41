package io.cafeq.engine.quantize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.config.Recipe;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.block.UnitFileReader;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.checkpoint.WeightTensors;
import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.compute.SampleMoments;
import io.cafeq.engine.family.MatrixInputs;
import io.cafeq.engine.model.QuantizedFolder;
import io.cafeq.engine.plan.Planner;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.receipt.ErrorFigures;
import io.cafeq.engine.receipt.UnitFigures;
import io.cafeq.engine.statistics.InputStatistics;
import io.cafeq.engine.statistics.MatrixInput;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Stacks whose inputs are known: what is written, what is said of it, and what is decided. */
class StackStatisticsTest {
  private static final InputStatistics ALL = new KnownInputs(input -> true);
  private static final Map<String, String> COMMON =
      Map.of("pairs", "false", "bits", "3", "group", "32", "steps", "10", "transform-bits", "4");

  @TempDir Path folder;

  private MadeResult make(
      String name, Map<String, String> changes, boolean baselines, InputStatistics statistics) {
    Map<String, String> keys = new HashMap<>(COMMON);
    keys.putAll(changes);
    Path source = TinyModel.of(96, 4, 2, 32).write(folder.resolve("source-" + name));
    MadeResult made = new MadeResult(source, folder.resolve(name));
    QuantizedFolder.make(source, made.result(), keys, baselines, statistics);
    return made;
  }

  private static Map<String, UnitFigures> figures(MadeResult made) {
    Map<String, UnitFigures> figures = new HashMap<>();
    for (Path file : made.files()) {
      try (UnitFileReader reader = UnitFileReader.open(file)) {
        if (reader.figures() != null) {
          figures.put(String.valueOf(file.getFileName()), reader.figures());
        }
      }
    }
    assertThat(figures).isNotEmpty();
    return figures;
  }

  private static double output(ErrorFigures figures) {
    return Objects.requireNonNull(figures.outputError());
  }

  @ParameterizedTest
  @ValueSource(strings = {"rtn", "input", "output", "hadamard"})
  void figuresAreThoseOfTheDecodedWeights(String kind) {
    Map<String, String> keys =
        switch (kind) {
          case "rtn" -> Map.of("method", "rtn");
          case "hadamard" -> Map.of("method", "hadamard", "block", "32");
          default -> Map.of("side", kind, "block", "16", "fall-back", "false");
        };
    MadeResult made = make(kind, keys, true, ALL);
    made.verify();
    double said = 0;
    double norm = 0;
    for (UnitFigures figures : figures(made).values()) {
      said += output(figures.result());
      norm += Objects.requireNonNull(figures.outputNorm());
      assertThat(output(figures.result()))
          .isLessThan(output(Objects.requireNonNull(figures.plainClipped())));
      assertThat(output(Objects.requireNonNull(figures.plain()))).isFinite();
      assertThat(output(Objects.requireNonNull(figures.plainEqualBits()))).isFinite();
    }
    double measured = 0;
    double ofSource = 0;
    try (Checkpoint checkpoint = Checkpoint.open(made.source());
        Arena arena = Arena.ofConfined()) {
      MatrixInputs inputs = MatrixInputs.of(checkpoint);
      for (String tensor : new String[] {"q", "k", "v", "o"}) {
        String name = TinyModel.ATTENTION + tensor + "_proj.weight";
        MatrixInput input = inputs.of(weight(checkpoint, name), -1).orElseThrow();
        var moments = ALL.read(input, arena).orElseThrow();
        double[][] h = SampleMoments.dense(moments, 0.01 * SampleMoments.mean(moments));
        double[] source = made.source(name);
        double[] deviation = made.effective(name);
        for (int i = 0; i < source.length; i++) {
          deviation[i] -= source[i];
        }
        measured += output(deviation, h);
        ofSource += output(source, h);
      }
    }
    assertThat(said).isCloseTo(measured, within(1e-3 * measured));
    assertThat(norm).isCloseTo(ofSource, within(1e-3 * ofSource));
  }

  private static WeightTensor weight(Checkpoint checkpoint, String name) {
    var info = checkpoint.tensor(name).orElseThrow();
    return ((WeightTensors.Reading.Weights) checkpoint.weights().read(info, false)).weight();
  }

  private static double output(double[] rows, double[][] h) {
    double sum = 0;
    for (int row = 0; row < rows.length; row += h.length) {
      for (int i = 0; i < h.length; i++) {
        for (int j = 0; j < h.length; j++) {
          sum += rows[row + i] * h[i][j] * rows[row + j];
        }
      }
    }
    return sum;
  }

  @Test
  void knownInputsGain() {
    Map<String, UnitFigures> known = figures(make("known", Map.of("method", "rtn"), true, ALL));
    known.forEach(
        (unit, figures) ->
            assertThat(output(figures.result()))
                .as(unit)
                .isLessThan(0.6 * output(Objects.requireNonNull(figures.plainClipped()))));
  }

  @Test
  void whatFallsBackIsBetterInItsOutputs() throws IOException {
    MadeResult kept =
        make("kept", Map.of("side", "input", "block", "16", "fall-back", "false"), false, ALL);
    MadeResult chosen = make("chosen", Map.of("side", "input", "block", "16"), false, ALL);
    MadeResult plain = make("plain", Map.of("transform-bits", "0"), false, ALL);
    MadeResult rtn = make("rtn", Map.of("method", "rtn"), false, ALL);
    Map<String, UnitFigures> keptFigures = figures(kept);
    figures(chosen)
        .forEach(
            (unit, figures) -> {
              UnitFigures before = Objects.requireNonNull(keptFigures.get(unit));
              assertThat(output(figures.result())).isLessThanOrEqualTo(output(before.result()));
              assertThat(figures.result().bits()).isLessThanOrEqualTo(before.result().bits());
              assertThat(figures.fellBack() || output(figures.result()) == output(before.result()))
                  .isTrue();
            });
    double best = figures(plain).values().stream().mapToDouble(each -> output(each.result())).sum();
    double usual = figures(rtn).values().stream().mapToDouble(each -> output(each.result())).sum();
    assertThat(best).isLessThanOrEqualTo(usual);
    chosen.verify();
    plain.verify();
    MadeResult again = make("again", Map.of("side", "input", "block", "16"), false, ALL);
    for (Path file : chosen.files()) {
      assertThat(Files.mismatch(file, again.result().resolve("units").resolve(file.getFileName())))
          .isEqualTo(-1);
    }
  }

  /** Queries lie on plain levels and lose by any transform; keys are larger and gain. */
  @Tag("slow")
  @Test
  void unlikeMatricesOfAStackDecideTogether() {
    Random random = new Random(5);
    double[] latent = random.doubles(1024 * 64 / 8, -1, 1).toArray();
    TinyModel unlike =
        TinyModel.of(64, 16, 16, 64)
            .with(
                TinyModel.ATTENTION + "q_proj.weight",
                index -> random.nextBoolean() ? 1.0 / 16 : -1.0 / 16)
            .with(
                TinyModel.ATTENTION + "k_proj.weight",
                index -> latent[index / 8] + 0.05 * random.nextGaussian());
    Path source = unlike.write(folder.resolve("unlike"));
    Map<String, String> keys = new HashMap<>(COMMON);
    keys.putAll(Map.of("side", "input", "block", "16", "steps", "60"));
    MadeResult chosen = new MadeResult(source, folder.resolve("chosen"));
    QuantizedFolder.make(source, chosen.result(), keys, false, ALL);
    keys.put("fall-back", "false");
    MadeResult kept = new MadeResult(source, folder.resolve("kept"));
    QuantizedFolder.make(source, kept.result(), keys, false, ALL);
    Map<String, UnitFigures> keptFigures = figures(kept);

    figures(chosen)
        .forEach(
            (unit, figures) ->
                assertThat(output(figures.result()))
                    .as(unit)
                    .isLessThanOrEqualTo(
                        output(Objects.requireNonNull(keptFigures.get(unit)).result())));
    assertThat(figures(chosen))
        .anySatisfy(
            (unit, figures) -> {
              assertThat(unit).contains("q", "k");
              assertThat(figures.fellBack()).isFalse();
            });
  }

  /** What nothing is known of is rounded as without statistics, to the byte. */
  @Test
  void unknownInputsAreRoundedAsBefore() throws IOException {
    InputStatistics some = new KnownInputs(input -> input.name().endsWith("self_attn"));
    MadeResult partly = make("partly", Map.of("method", "rtn"), true, some);
    MadeResult none = make("none", Map.of("method", "rtn"), true, InputStatistics.NONE);
    int same = 0;
    for (Path file : partly.files()) {
      boolean equal =
          Files.mismatch(file, none.result().resolve("units").resolve(file.getFileName())) == -1;
      try (UnitFileReader reader = UnitFileReader.open(file)) {
        boolean isOutput =
            reader.header().tensors().stream()
                .map(TensorHeader::name)
                .anyMatch(TinyModel.OUTPUTS::equals);
        boolean quantized = reader.figures() != null;
        assertThat(equal).isEqualTo(isOutput || !quantized);
        if (quantized) {
          assertThat(Objects.requireNonNull(reader.figures()).outputNorm() == null)
              .isEqualTo(isOutput);
          same += isOutput ? 1 : 0;
        }
      }
    }
    assertThat(same).isEqualTo(1);
    partly.verify();
  }

  /** Moments, two factors, and one of them in doubles while it is made. */
  @Test
  void memoryGrowsWithWhatIsKnown() {
    Path source = TinyModel.of(96, 4, 2, 32).write(folder.resolve("memory"));
    try (Checkpoint checkpoint = Checkpoint.open(source)) {
      MatrixInputs inputs = MatrixInputs.of(checkpoint);
      Map<String, String> keys = new HashMap<>(COMMON);
      keys.putAll(Map.of("side", "input", "block", "16"));
      for (Unit unit : Planner.plan(checkpoint, Recipe.of(keys)).units()) {
        if (unit instanceof Unit.Quantized quantized) {
          Compute compute = Compute.open("scalar");
          long without = PartWorks.memoryNeeded(quantized, compute, range -> 0).nativeBytes();
          assertThat(
                  UnitQuantizer.memoryNeeded(unit, compute, InputStatistics.NONE, inputs)
                      .nativeBytes())
              .isGreaterThanOrEqualTo(without);
          long moments = 4L * 96 * 96;
          assertThat(PartWorks.memoryNeeded(quantized, compute, range -> moments).nativeBytes())
              .isGreaterThan(without + 4 * moments);
        }
      }
    }
  }
}
