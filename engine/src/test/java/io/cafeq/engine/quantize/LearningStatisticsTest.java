package io.cafeq.engine.quantize;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.block.UnitFileReader;
import io.cafeq.engine.block.UnitRow;
import io.cafeq.engine.model.DrawnStatistics;
import io.cafeq.engine.model.QuantizedFolder;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.statistics.InputStatistics;
import io.cafeq.engine.statistics.MatrixInput;
import io.cafeq.engine.transform.StoredTransform;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which say the inputs have in what is learned for stacks. */
class LearningStatisticsTest {
  private static final InputStatistics ALL = new DrawnStatistics(1, "");
  private static final String QUERIES = TinyModel.ATTENTION + "q_proj.weight";

  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({
    "input, 16, nearest, true", "input, channel, nearest, true", "input, 16, nearest-plane, false",
    "input, channel, nearest-plane, false", "output, 16, nearest-plane, true",
        "output, channel, nearest, false"
  })
  void transformsAreOthersWhereInputsCount(
      String side, String group, String rounding, boolean others) {
    Map<String, String> keys = Map.of("side", side, "group", group, "rounding", rounding);
    List<StoredTransform> knowing = transforms(made(keys, ALL));
    List<StoredTransform> unaware = transforms(made(keys, InputStatistics.NONE));
    assertThat(knowing).hasSameSizeAs(unaware).isNotEmpty();
    int different = 0;
    for (int i = 0; i < knowing.size(); i++) {
      different += Arrays.equals(knowing.get(i).data(), unaware.get(i).data()) ? 0 : 1;
    }
    assertThat(different).isEqualTo(others ? knowing.size() : 0);
  }

  @Test
  void nearestRoundingGainsByLearningInTheMetric() {
    Map<String, String> keys = Map.of("side", "input", "rounding", "nearest");
    assertThat(outputError(made(keys, ALL)))
        .isLessThan(0.8 * outputError(made(keys, InputStatistics.NONE)));
  }

  /** tr(E H E^T) of the queries' effective error. */
  private static double outputError(MadeResult made) {
    double[] source = made.source(QUERIES);
    double[] effective = made.effective(QUERIES);
    try (Arena arena = Arena.ofConfined()) {
      MatrixInput input = new MatrixInput("model.layers.0.self_attn", 64, Optional.empty());
      InputMoments.Block h = ALL.read(input, arena).orElseThrow().blocks().getFirst();
      double sum = 0;
      for (int row = 0; row < source.length / 64; row++) {
        for (int i = 0; i < 64; i++) {
          for (int j = 0; j < 64; j++) {
            sum +=
                h.moments().get(i, j)
                    * (effective[row * 64 + i] - source[row * 64 + i])
                    * (effective[row * 64 + j] - source[row * 64 + j]);
          }
        }
      }
      return sum;
    }
  }

  private static List<StoredTransform> transforms(MadeResult made) {
    List<StoredTransform> all = new ArrayList<>();
    for (Path file : made.files()) {
      try (UnitFileReader reader = UnitFileReader.open(file)) {
        reader.forEach(
            row -> {
              if (row instanceof UnitRow.Transform transform) {
                all.add(transform.transform());
              }
            });
      }
    }
    return all;
  }

  private MadeResult made(Map<String, String> changes, InputStatistics statistics) {
    Map<String, String> keys =
        new HashMap<>(
            Map.of(
                "bits",
                "3",
                "group",
                "16",
                "block",
                "16",
                "steps",
                "40",
                "pairs",
                "false",
                "column-scales",
                "false",
                "fall-back",
                "false"));
    keys.putAll(changes);
    Path root = folder.resolve(Integer.toHexString(keys.hashCode()) + "-" + statistics.hashCode());
    MadeResult made =
        new MadeResult(
            TinyModel.of(64, 4, 2, 16).write(root.resolve("source")), root.resolve("result"));
    QuantizedFolder.make(made.source(), made.result(), keys, false, statistics);
    made.verify();
    return made;
  }
}
