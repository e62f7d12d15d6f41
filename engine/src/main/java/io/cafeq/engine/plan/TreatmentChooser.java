package io.cafeq.engine.plan;

import io.cafeq.config.Method;
import io.cafeq.config.Recipe;
import io.cafeq.config.Rounding;
import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.transform.TransformSpec;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal.Kind;
import java.util.List;
import java.util.Optional;

/**
 * Chooses the transform and the grid of matrices by what they cost. Both sides gain the same from the same relative
 * cost, so the side is the one that allows the larger block within the recipe's {@code transform-bits}, then the
 * cheaper one, then the input.
 */
final class TreatmentChooser {
  private static final int LEAST_BLOCK = 8;
  private static final int LARGEST_BLOCK = 256;
  private static final int LARGEST_HADAMARD = 1024;
  /** Below this a group's own scale costs as much as its codes. */
  private static final int LEAST_DIVISOR = 8;

  private final Recipe recipe;
  private final Warnings warnings;

  TreatmentChooser(Recipe recipe, Warnings warnings) {
    this.recipe = recipe;
    this.warnings = warnings;
  }

  /**
   * Whether matrices that read the same input are best served by one input-side transform over all of them. The output
   * side would take them apart, so its block is what all of them allow.
   */
  Optional<Treatment> shared(TensorSettings settings, List<TensorInfo> tensors) {
    Optional<Kind> kind = kind(settings, tensors.getFirst());
    if (kind.isEmpty()) {
      return Optional.empty();
    }
    int columns = tensors.getFirst().columns();
    long rows = tensors.stream().mapToLong(TensorInfo::rows).sum();
    Optional<Option> input = option(settings, kind.get(), Side.INPUT, rows, columns);
    List<Optional<Option>> each = tensors.stream()
        .map(tensor -> option(settings, kind.get(), Side.OUTPUT, tensor.rows(), columns))
        .toList();
    Optional<Option> output = each.stream().allMatch(Optional::isPresent)
        ? each.stream().flatMap(Optional::stream).reduce((a, b) -> a.spec().block() <= b.spec().block() ? a : b)
        : Optional.empty();
    return better(input, output)
        .filter(option -> option.spec().side() == Side.INPUT)
        .map(option -> treatment(settings, option.spec(), tensors));
  }

  /** What is done to one matrix by itself. */
  Treatment single(TensorSettings settings, TensorInfo tensor) {
    TransformSpec transform = kind(settings, tensor)
        .flatMap(kind -> better(
            option(settings, kind, Side.INPUT, tensor.rows(), tensor.columns()),
            option(settings, kind, Side.OUTPUT, tensor.rows(), tensor.columns())))
        .<TransformSpec>map(Option::spec)
        .orElseGet(TransformSpec.None::new);
    return treatment(settings, transform, List.of(tensor));
  }

  /** A transform and what it costs, in bits a weight. */
  private record Option(BlockDiagonal spec, double cost) {}

  private static Optional<Kind> kind(TensorSettings settings, TensorInfo tensor) {
    Optional<Kind> kind = switch (settings.method()) {
      case CAFEQ -> Optional.of(Kind.LEARNED);
      case ROTATION -> Optional.of(Kind.ROTATION);
      case HADAMARD -> Optional.of(Kind.HADAMARD);
      case RTN, NONE -> Optional.empty();
    };
    if (settings.block().orElse(0) > LARGEST_BLOCK && kind.isPresent() && kind.get() != Kind.HADAMARD) {
      throw new EngineException(FailureKind.USAGE,
          "block %d for tensor %s with method %s: at most %d, since a step takes time by the square of the block"
              .formatted(settings.block().getAsInt(), tensor.name(), settings.method(), LARGEST_BLOCK),
          "Take a smaller block for it, or method hadamard.");
    }
    return kind;
  }

  private static Optional<Option> better(Optional<Option> input, Optional<Option> output) {
    if (input.isEmpty() || output.isEmpty()) {
      return input.or(() -> output);
    }
    Option in = input.get();
    Option out = output.get();
    boolean outputIsBetter = out.spec().block() > in.spec().block()
        || (out.spec().block() == in.spec().block() && out.cost() < in.cost());
    return outputIsBetter ? output : input;
  }

  private Optional<Option> option(TensorSettings settings, Kind kind, Side side, long rows, int columns) {
    if (settings.side().isPresent() && settings.side().get() != side) {
      return Optional.empty();
    }
    long channels = side == Side.INPUT ? columns : rows;
    boolean hadamard = kind == Kind.HADAMARD;
    int largest = (int) Math.min(Long.highestOneBit(channels), hadamard ? LARGEST_HADAMARD : LARGEST_BLOCK);
    double weights = (double) rows * columns;
    if (settings.block().isPresent()) {
      int block = Math.min(settings.block().getAsInt(), largest);
      Option explicit = option(kind, side, block, rows, columns);
      return block < LEAST_BLOCK ? Optional.empty() : Optional.of(explicit);
    }
    // Signs cost the same at any size, so only the largest Hadamard block is of use.
    int least = hadamard ? Math.max(largest, LEAST_BLOCK) : LEAST_BLOCK;
    for (int block = largest; block >= least; block /= 2) {
      Option option = option(kind, side, block, rows, columns);
      if (option.spec().bits(rows, columns) <= recipe.transformBits() * weights * (1 + 1e-12)) {
        return Optional.of(option);
      }
    }
    return Optional.empty();
  }

  private Option option(Kind kind, Side side, int block, long rows, int columns) {
    BlockDiagonal spec = new BlockDiagonal(kind, side, block, recipe.usualTransformStorage());
    return new Option(spec, spec.bits(rows, columns) / ((double) rows * columns));
  }

  private Treatment treatment(TensorSettings settings, TransformSpec transform, List<TensorInfo> tensors) {
    boolean input = transform instanceof BlockDiagonal blocks && blocks.side() == Side.INPUT;
    ScaleStorage storage = settings.scales().orElse(input ? ScaleStorage.SYMMETRIC : ScaleStorage.ZERO_POINT);
    GridSpec grid = new GridSpec(
        settings.bits(), group(settings.group(), tensors), storage, recipe.scaleBits(), recipe.clip());
    boolean none = transform instanceof TransformSpec.None;
    // Without a transform the metric is the identity, in which the nearest plane is the nearest level.
    Rounding rounding = none ? Rounding.NEAREST : recipe.rounding();
    boolean fallBack = recipe.fallBack() && settings.method() == Method.CAFEQ;
    return new Treatment(grid, transform, rounding, recipe.steps(), recipe.seed(), fallBack);
  }

  /** 0 for whole rows, also where one group would be a whole row: its scale is then f16 and costs less. */
  private int group(int wanted, List<TensorInfo> tensors) {
    int columns = tensors.getFirst().columns();
    if (wanted == 0 || wanted == columns) {
      return 0;
    }
    int group = Math.min(wanted, columns);
    while (columns % group != 0) {
      group--;
    }
    if (group < wanted) {
      boolean wholeRow = group == columns || group < LEAST_DIVISOR;
      String sentence = "Group %d does not divide %d input channels, so %s taken"
          .formatted(wanted, columns, wholeRow ? "whole rows are" : "groups of " + group + " are");
      tensors.forEach(tensor -> warnings.add(sentence, tensor.name()));
      return wholeRow ? 0 : group;
    }
    return group;
  }
}
