package io.cafeq.engine.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.config.Side;
import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.family.CouplingsBridge;
import io.cafeq.engine.family.FamilyShapes;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Transforms without quantization change no output of any layer of any family. */
class FunctionPreservationTest {
  private static final int[] TOKENS = {
    3, 14, 15, 9, 26, 5, 35, 8, 9, 7, 9, 32, 38, 46, 26, 43, 38, 32, 7, 40
  };
  private static final double SAME = 1e-10;
  private static final Products NONE =
      (matrix, x) -> {
        throw new IllegalStateException(matrix + " has not been transformed");
      };
  private static final Set<String> VALUE_BIASES =
      Set.of(
          "qwen2",
          "qwen2_moe",
          "gpt2",
          "gpt_neox",
          "bert",
          "roberta",
          "distilbert",
          "gpt_oss",
          "gpt_oss_dense");

  /**
   * Models with learned positions, with layers without any, or with heads that turn in part only.
   */
  private static final Set<String> QUERY_KEY =
      Set.of(
          "gpt2",
          "bert",
          "roberta",
          "distilbert",
          "llama4",
          "deepseek_v2",
          "deepseek_v3",
          "deepseek_v3_dense");

  @ParameterizedTest
  @FieldSource("io.cafeq.engine.model.Miniature#NAMES")
  void mapsThatMoveAcrossCouplingsChangeNothing(String name) {
    Miniature miniature = Miniature.of(name, 7);
    Trace expected = ForwardPass.of(miniature.model()).run(TOKENS);
    Map<String, MatrixUse> uses = MatrixUses.of(miniature.model(), TOKENS).byTensor();
    List<Coupling> couplings = couplings(name);
    Stream<Coupling> pairs =
        couplings.stream().filter(coupling -> coupling.kind() == Coupling.Kind.VALUE_OUTPUT);
    assertThat(pairs.map(Coupling::right))
        .as("a pair for each layer")
        .doesNotHaveDuplicates()
        .hasSize(expected.attention().size());

    Weights moved =
        CoupledWeights.of(miniature.weights(), uses, couplings, CoupledWeights.Biases.FOLLOW, 11);
    for (Coupling coupling : couplings) {
      assertThat(difference(moved, miniature.weights(), coupling.left())).isGreaterThan(0.1);
      assertThat(difference(moved, miniature.weights(), coupling.right())).isGreaterThan(0.1);
    }
    assertThat(ForwardPass.of(Model.of(miniature.config(), moved)).run(TOKENS).distance(expected))
        .isLessThan(SAME);
  }

  @ParameterizedTest
  @FieldSource("io.cafeq.engine.model.Miniature#NAMES")
  void aBiasThatStaysBehindIsSeen(String name) {
    Miniature miniature = Miniature.of(name, 7);
    Trace expected = ForwardPass.of(miniature.model()).run(TOKENS);
    Map<String, MatrixUse> uses = MatrixUses.of(miniature.model(), TOKENS).byTensor();
    Weights moved =
        CoupledWeights.of(
            miniature.weights(), uses, couplings(name), CoupledWeights.Biases.STAY, 11);
    double distance =
        ForwardPass.of(Model.of(miniature.config(), moved)).run(TOKENS).distance(expected);
    if (VALUE_BIASES.contains(name)) {
      assertThat(distance).isGreaterThan(1e-3);
    } else {
      assertThat(distance).isLessThan(SAME);
    }
  }

  /** A map that goes into V and does not come out of O. */
  @ParameterizedTest
  @FieldSource("io.cafeq.engine.model.Miniature#NAMES")
  void halfOfAPairIsSeen(String name) {
    Miniature miniature = Miniature.of(name, 7);
    Trace expected = ForwardPass.of(miniature.model()).run(TOKENS);
    Map<String, MatrixUse> uses = MatrixUses.of(miniature.model(), TOKENS).byTensor();
    for (Coupling coupling : couplings(name)) {
      Weights moved =
          CoupledWeights.of(
              miniature.weights(), uses, List.of(coupling), CoupledWeights.Biases.FOLLOW, 11);
      Weights half =
          moved.with(Map.of(coupling.right(), miniature.weights().get(coupling.right())));
      if (!coupling.left().equals(coupling.right())) {
        assertThat(
                ForwardPass.of(Model.of(miniature.config(), half)).run(TOKENS).distance(expected))
            .as("%s", coupling.left())
            .isGreaterThan(1e-3);
      }
    }
  }

  @ParameterizedTest
  @FieldSource("io.cafeq.engine.model.Miniature#NAMES")
  void queriesAndKeysAreCoupledWhereNoPositionStandsBetween(String name) {
    assertThat(
            couplings(name).stream()
                .anyMatch(coupling -> coupling.kind() == Coupling.Kind.QUERY_KEY))
        .isEqualTo(QUERY_KEY.contains(name));
  }

  static Stream<Arguments> familiesAndSides() {
    return Miniature.NAMES.stream()
        .flatMap(name -> Stream.of(Side.INPUT, Side.OUTPUT).map(side -> Arguments.of(name, side)));
  }

  /** Blocks of 24 leave a smaller last one nearly everywhere. */
  @ParameterizedTest
  @MethodSource("familiesAndSides")
  void transformsThatAreUndoneOnlineChangeNothing(String name, Side side) {
    Miniature miniature = Miniature.of(name, 7);
    Trace expected = ForwardPass.of(miniature.model()).run(TOKENS);
    Map<OnlineProducts.Key, OnlineProducts.Transformed> matrices = new LinkedHashMap<>();
    for (MatrixUse use : MatrixUses.of(miniature.model(), TOKENS).all()) {
      double[][] rows = use.toRows(miniature.weights().get(use.tensor()));
      matrices.put(OnlineProducts.Key.of(use), OnlineProducts.transform(rows, side, 24, 5));
    }
    Model online =
        Model.of(miniature.config(), miniature.weights(), new OnlineProducts(matrices, NONE));
    assertThat(ForwardPass.of(online).run(TOKENS).distance(expected)).isLessThan(SAME);
  }

  private static List<Coupling> couplings(String name) {
    FamilyShapes shapes = FamilyShapes.of(name);
    return CouplingsBridge.legal(shapes.configObject(), shapes.headers());
  }

  private static double difference(Weights moved, Weights source, String tensor) {
    return Trace.distance(
        new double[][] {moved.get(tensor).values()}, new double[][] {source.get(tensor).values()});
  }
}
