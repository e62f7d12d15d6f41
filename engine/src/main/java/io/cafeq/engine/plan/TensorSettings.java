package io.cafeq.engine.plan;

import io.cafeq.config.GridSettings;
import io.cafeq.config.Method;
import io.cafeq.config.Recipe;
import io.cafeq.config.Rounding;
import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.config.StatisticsSource;
import io.cafeq.config.TensorOverride;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.grid.HalfType;
import io.cafeq.engine.target.TargetGrids;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What the recipe and its overrides say about one tensor; empty values are chosen. Tensors share a
 * transform only if these are equal.
 *
 * @param target what limits the grids, empty where nothing does
 * @param fused what loaders of the target fuse the tensor into; all tensors of one must have one
 *     grid. Empty where each may have its own
 * @param columnScales whether the recipe asks for column scales
 */
public record TensorSettings(
    Method method,
    Optional<TargetGrids> target,
    Optional<String> fused,
    OptionalInt bits,
    OptionalInt group,
    Optional<ScaleStorage> scales,
    OptionalInt block,
    Optional<Side> side,
    boolean columnScales) {

  /**
   * @param weights type of the tensor's weights
   * @param fused what the tensor shares with others that loaders may fuse it with
   */
  static TensorSettings of(Recipe recipe, Dtype weights, Optional<String> fused) {
    Optional<TargetGrids> target = TargetGrids.of(recipe.target(), weights);
    return new TensorSettings(
        recipe.method(),
        target,
        target.filter(TargetGrids::fusedAlike).flatMap(grids -> fused),
        recipe.grid().bits(),
        recipe.grid().group(),
        recipe.grid().scales(),
        recipe.transform().block(),
        recipe.transform().side(),
        scalesColumns(recipe));
  }

  /** Only statistics say what column scales should be; drawn codes are for comparison. */
  private static boolean scalesColumns(Recipe recipe) {
    return recipe.grid().columnScales()
        && !(recipe.statistics().source() instanceof StatisticsSource.None)
        && recipe.rounding() != Rounding.STOCHASTIC;
  }

  /** Whether input channels are scaled where their statistics are known. */
  public boolean isScaled() {
    return columnScales
        && switch (method) {
          case CAFEQ, RTN -> true;
          case ROTATION, HADAMARD, NONE -> false;
        };
  }

  /**
   * Whether the scales become part of the norm before the matrices in the target's files, so that
   * all that reads the norm has the same ones.
   */
  public boolean foldsScales() {
    return target.isPresent() && isScaled();
  }

  /** The same without column scales. */
  TensorSettings withoutColumnScales() {
    return new TensorSettings(method, target, fused, bits, group, scales, block, side, false);
  }

  /** Bits as set, or as usual. */
  public int usualBits() {
    return bits.orElse(GridSettings.USUAL_BITS);
  }

  /** The same but for what the tensor is fused into, which is another for each layer. */
  public TensorSettings unfused() {
    return new TensorSettings(
        method, target, Optional.empty(), bits, group, scales, block, side, columnScales);
  }

  /** How f16 scales are rounded. */
  public HalfType halves() {
    return target.map(TargetGrids::halves).orElse(HalfType.F16);
  }

  /** The group as set, or as usual; 0 for whole rows. */
  public int usualGroup() {
    return group.orElse(GridSettings.USUAL_GROUP);
  }

  TensorSettings with(TensorOverride override) {
    return new TensorSettings(
        override.method().orElse(method),
        target,
        fused,
        override.bits().isPresent() ? override.bits() : bits,
        override.group().isPresent() ? override.group() : group,
        override.scales().or(() -> scales),
        override.block().isPresent() ? override.block() : block,
        override.side().or(() -> side),
        columnScales);
  }

  TensorSettings withBits(int newBits) {
    return new TensorSettings(
        method, target, fused, OptionalInt.of(newBits), group, scales, block, side, columnScales);
  }

  /** The same without a transform, unless the tensor keeps its bytes. */
  TensorSettings plain() {
    Method plain = method == Method.NONE ? Method.NONE : Method.RTN;
    return new TensorSettings(
        plain, target, fused, bits, group, scales, OptionalInt.empty(), Optional.empty(), false);
  }
}
