package io.cafeq.engine.compute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.config.Rounding;
import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.config.TransformStorage;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.rounding.InputMetric;
import io.cafeq.engine.rounding.RoundingRule;
import io.cafeq.engine.rounding.SlabTransforms;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.Orthogonal;
import io.cafeq.engine.transform.Seeds;
import io.cafeq.engine.transform.StoredTransforms;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What every backend has to keep, with the learner of its name. Extend it, name both, and all of it
 * runs against the scalar reference: plain codes equal but at rounding boundaries, nearest plane by
 * error within 0.5 %. A learner alone extends {@link LearnerContract}.
 */
public abstract class ComputeBackendContract extends LearnerContract {
  private final ComputeBackend reference = Backends.open("scalar");

  /** The backend under test. */
  protected abstract ComputeBackend backend();

  @Test
  void theLearnersKernelIsTheBackends() {
    assertThat(learner().kernel()).isEqualTo(backend().kernel());
    assertThat(Compute.open(backend().id()).kernel()).isEqualTo(backend().kernel());
  }

  static Stream<Arguments> grids() {
    return Arrays.stream(ScaleStorage.values())
        .flatMap(
            storage ->
                Stream.of(0, 24, 96)
                    .flatMap(
                        group ->
                            Stream.of(2, 3, 4, 5, 8)
                                .map(bits -> Arguments.of(storage, group, bits))));
  }

  @ParameterizedTest
  @MethodSource("grids")
  void plainRounding(ScaleStorage storage, int group, int bits) {
    GridSpec grid = new GridSpec(bits, group, storage, bits == 5 ? 6 : 8, bits != 3);
    FloatMatrix weights = problems.weights(70, 576, 31);
    Encoded one =
        encode(backend(), weights, grid, new SlabTransforms.None(), new RoundingRule.Nearest());
    Encoded other =
        encode(reference, weights, grid, new SlabTransforms.None(), new RoundingRule.Nearest());
    assertThat(one.differences(other)).isLessThan(0.002);
    assertThat(one.squaredError())
        .isCloseTo(other.squaredError(), within(1e-3 * other.squaredError()));
    assertThat(one.squaredNorm())
        .isCloseTo(other.squaredNorm(), within(1e-5 * other.squaredNorm()));
    try (ComputeLane lane = backend().openLane()) {
      assertThat(lane.encoder().plainError(weights, grid, InputMetric.NONE).squared())
          .isCloseTo(one.squaredError(), within(1e-6 * one.squaredError()));
    }
  }

  @ParameterizedTest
  @EnumSource(Rounding.class)
  void transformedOnBothSides(Rounding rounding) {
    for (Side side : Side.values()) {
      for (String kind : List.of("rotation", "skewed", "hadamard")) {
        FloatMatrix weights =
            side == Side.OUTPUT ? problems.weights(40, 192, 41) : problems.weights(130, 40, 42);
        SlabTransforms transforms =
            new SlabTransforms.Blocks(
                side, List.of(block(side, kind, 0, 32), block(side, kind, 32, 8)));
        GridSpec grid =
            new GridSpec(4, side == Side.OUTPUT ? 48 : 20, ScaleStorage.OFFSET, 8, true);
        RoundingRule rule = RoundingRule.of(rounding, 43, 7);
        Encoded one = encode(backend(), weights, grid, transforms, rule);
        Encoded other = encode(reference, weights, grid, transforms, rule);
        assertThat(Math.sqrt(one.squaredError()))
            .as(side + " " + kind)
            .isCloseTo(
                Math.sqrt(other.squaredError()), within(0.005 * Math.sqrt(other.squaredError())));
      }
    }
  }

  @Test
  void nearestPlaneIsBetterThanNearest() {
    FloatMatrix weights = problems.weights(32, 480, 51);
    SlabTransforms transforms =
        new SlabTransforms.Blocks(Side.OUTPUT, List.of(block(Side.OUTPUT, "skewed", 0, 32)));
    GridSpec grid = new GridSpec(3, 96, ScaleStorage.ZERO_POINT, 8, true);
    Encoded plane = encode(backend(), weights, grid, transforms, new RoundingRule.NearestPlane());
    Encoded nearest = encode(backend(), weights, grid, transforms, new RoundingRule.Nearest());
    assertThat(plane.squaredError()).isLessThan(nearest.squaredError());
  }

  @Test
  void zerosAndConstantsAreExact() {
    FloatMatrix weights = FloatMatrix.allocate(arena, 4, 64);
    for (int c = 0; c < 64; c++) {
      weights.set(1, c, 0.5f);
      weights.set(2, c, c < 32 ? 0 : 0.25f);
    }
    for (ScaleStorage storage : List.of(ScaleStorage.ZERO_POINT, ScaleStorage.OFFSET)) {
      GridSpec grid = new GridSpec(4, 16, storage, 8, true);
      Encoded encoded =
          encode(backend(), weights, grid, new SlabTransforms.None(), new RoundingRule.Nearest());
      assertThat(encoded.squaredError())
          .as(storage.text())
          .isLessThan(1e-6 * encoded.squaredNorm());
    }
  }

  private record Encoded(byte[] codes, double squaredError, double squaredNorm) {
    /** Share of bytes of codes that differ. */
    double differences(Encoded other) {
      int count = 0;
      for (int i = 0; i < codes.length; i++) {
        count += codes[i] == other.codes[i] ? 0 : 1;
      }
      return (double) count / codes.length;
    }
  }

  private Encoded encode(
      ComputeBackend backend,
      FloatMatrix weights,
      GridSpec grid,
      SlabTransforms transforms,
      RoundingRule rule) {
    try (ComputeLane lane = backend.openLane()) {
      SlabBuffers buffers = new SlabBuffers(arena, grid, weights.rows(), weights.columns());
      EncodedSlab slab =
          lane.encoder().encode(weights, grid, transforms, InputMetric.NONE, rule, buffers);
      return new Encoded(
          slab.codes().toArray(ValueLayout.JAVA_BYTE), slab.squaredError(), slab.squaredNorm());
    }
  }

  private static BlockTransform block(Side side, String kind, int first, int k) {
    if (kind.equals("hadamard")) {
      return BlockTransform.of(StoredTransforms.hadamard(side, first, k, 7)).orElseThrow();
    }
    double[] p = Orthogonal.rotation(k, 3);
    if (kind.equals("skewed")) {
      double[] noise = Seeds.gaussians(new SplittableRandom(4), k * k);
      for (int i = 0; i < p.length; i++) {
        p[i] += 0.1 * noise[i];
      }
    }
    return BlockTransform.of(StoredTransforms.store(side, first, k, p, TransformStorage.INT8))
        .orElseThrow();
  }
}
