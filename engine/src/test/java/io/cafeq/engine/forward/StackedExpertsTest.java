package io.cafeq.engine.forward;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.model.Miniature;
import io.cafeq.engine.model.StoredTensors.Stored;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A mixture computes the same, and its inputs are called the same, whether its experts are stored
 * one by one or stacked.
 */
class StackedExpertsTest {
  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({"qwen3_moe, true", "qwen3_moe, false", "qwen2_moe, true"})
  void stackedExpertsAreThoseOneByOne(String family, boolean fused) throws IOException {
    Miniature apart = Miniature.of(family, 1);
    Miniature stacked =
        new Miniature(
            apart.name(), apart.config(), apart.weights(), stacked(apart.stored(), fused));
    assertThat(stacked.stored().keySet()).noneMatch(name -> name.matches(".*experts\\.\\d+\\..*"));
    TreeSet<String> inputs = new TreeSet<>();
    TreeSet<String> inputsOfStacks = new TreeSet<>();
    assertThat(states(stacked, inputsOfStacks).toArray(double[][]::new))
        .isDeepEqualTo(states(apart, inputs).toArray(double[][]::new));
    assertThat(inputsOfStacks).isEqualTo(inputs).anyMatch(name -> name.contains("experts.1"));
  }

  private List<double[]> states(Miniature miniature, TreeSet<String> inputs) throws IOException {
    Path model = Files.createTempDirectory(folder, "model");
    miniature.write(model, Miniature.Spread.ONE);
    return SmallRun.states(
        model,
        SmallRun.windows(2, 24, 50),
        SmallRun.PLENTY,
        (input, matrices, x) -> inputs.add(input.name()));
  }

  /**
   * @param fused gate and up in one stack, gate first
   */
  private static SortedMap<String, Stored> stacked(
      SortedMap<String, Stored> stored, boolean fused) {
    SortedMap<String, Stored> result = new TreeMap<>();
    for (Stored tensor : stored.values()) {
      String name = tensor.name();
      if (!name.matches(".*experts\\.\\d+\\..*")) {
        result.put(name, tensor);
      } else if (name.contains("experts.0.")) {
        String module = name.substring(0, name.indexOf("experts.0.") + "experts.".length());
        String matrix = name.substring(module.length() + 2, name.length() - ".weight".length());
        boolean isGate = matrix.equals("gate_proj");
        if (fused && isGate) {
          result.put(
              module + "gate_up_proj",
              stack(stored, module, module + "gate_up_proj", "gate_proj", "up_proj"));
        } else if (!fused || !matrix.equals("up_proj")) {
          result.put(module + matrix, stack(stored, module, module + matrix, matrix));
        }
      }
    }
    return result;
  }

  private static Stored stack(
      SortedMap<String, Stored> stored, String module, String name, String... matrices) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    int experts = 0;
    for (; stored.containsKey(module + experts + "." + matrices[0] + ".weight"); experts++) {
      for (String matrix : matrices) {
        bytes.writeBytes(one(stored, module, experts, matrix).bytes());
      }
    }
    Stored first = one(stored, module, 0, matrices[0]);
    List<Integer> shape =
        List.of(experts, matrices.length * first.shape().get(0), first.shape().get(1));
    return new Stored(name, first.dtype(), shape, bytes.toByteArray());
  }

  private static Stored one(
      SortedMap<String, Stored> stored, String module, int expert, String matrix) {
    return Objects.requireNonNull(stored.get(module + expert + "." + matrix + ".weight"));
  }
}
