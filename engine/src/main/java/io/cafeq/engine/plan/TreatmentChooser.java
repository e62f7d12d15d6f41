package io.cafeq.engine.plan;

import io.cafeq.config.Recipe;
import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.plan.Part.RowRange;
import io.cafeq.engine.target.TargetGrids;
import io.cafeq.engine.transform.TransformSpec;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal.Kind;
import java.util.List;
import java.util.Optional;

/**
 * Chooses the transform and the grid of matrices by what they cost. Both sides gain the same from
 * the same relative cost, so the side is the one that allows the larger block within the recipe's
 * {@code transform-bits}, then the cheaper one, then the input.
 */
final class TreatmentChooser implements Cluster.Chooser {
  private final Recipe recipe;
  private final Warnings warnings;

  TreatmentChooser(Recipe recipe, Warnings warnings) {
    this.recipe = recipe;
    this.warnings = warnings;
  }

  @Override
  public List<Cluster.Decision> choose(List<Cluster> clusters) {
    return clusters.stream().map(this::choose).toList();
  }

  private Cluster.Decision choose(Cluster cluster) {
    return switch (cluster) {
      case Cluster.Matrices matrices ->
          together(matrices)
              .<Cluster.Decision>map(Cluster.Decision.Together::new)
              .orElseGet(
                  () ->
                      new Cluster.Decision.Apart(
                          matrices.members().stream()
                              .map(member -> single(matrices.settings(), member))
                              .toList()));
      case Cluster.Coupled coupled -> new Cluster.Decision.Paired(pair(coupled));
    };
  }

  /**
   * Whether matrices that read the same input are best served by one input-side transform over all
   * of them, or have column scales in common. The output side would take them apart, so its block
   * is what all of them allow.
   */
  private Optional<Treatment> together(Cluster.Matrices matrices) {
    TensorSettings settings = matrices.settings();
    if (settings.foldsScales()) {
      return Optional.of(
          treatment(
              settings,
              new TransformSpec.None(),
              matrices.members().stream().flatMap(member -> member.rows().stream()).toList()));
    }
    Optional<Kind> kind =
        TreatmentLimits.kind(settings, matrices.members().getFirst().tensor().info());
    if (kind.isEmpty() || matrices.members().size() < 2) {
      return Optional.empty();
    }
    List<RowRange> all =
        matrices.members().stream().flatMap(member -> member.rows().stream()).toList();
    Optional<Option> input = option(settings, kind.get(), Side.INPUT, all);
    List<Optional<Option>> each =
        matrices.members().stream()
            .map(member -> option(settings, kind.get(), Side.OUTPUT, member.rows()))
            .toList();
    Optional<Option> output =
        each.stream().allMatch(Optional::isPresent)
            ? each.stream()
                .flatMap(Optional::stream)
                .reduce((a, b) -> a.spec().block() <= b.spec().block() ? a : b)
            : Optional.empty();
    return better(input, output)
        .filter(option -> option.spec().side() == Side.INPUT)
        .map(option -> treatment(settings, option.spec(), all));
  }

  private Treatment single(TensorSettings settings, Cluster.Member member) {
    TransformSpec transform =
        TreatmentLimits.kind(settings, member.tensor().info())
            .flatMap(
                kind ->
                    better(
                        option(settings, kind, Side.INPUT, member.rows()),
                        option(settings, kind, Side.OUTPUT, member.rows())))
            .<TransformSpec>map(Option::spec)
            .orElseGet(TransformSpec.None::new);
    return treatment(settings, transform, member.rows());
  }

  /**
   * A folded transform takes no bits, so symmetric grids, which suit it, are all there is to
   * choose.
   */
  private PairTreatment pair(Cluster.Coupled coupled) {
    TensorSettings left = coupled.leftSettings();
    TensorSettings right = coupled.rightSettings();
    int head =
        coupled.coupling().heads().stream().mapToInt(Coupling.Head::size).min().orElseThrow();
    int rightChannels =
        switch (coupled.coupling().kind()) {
          case QUERY_KEY -> coupled.right().weight().columns();
          case VALUE_OUTPUT -> head;
        };
    int leftGroup = group(left, List.of(coupled.left()));
    int rightGroup =
        switch (coupled.coupling().kind()) {
          case QUERY_KEY -> group(right, List.of(coupled.right()));
          case VALUE_OUTPUT ->
              TreatmentLimits.groupOfHead(right, head, coupled.right().weight().columns());
        };
    return PairTreatment.of(
        recipe,
        left,
        grid(left, coupled.left().weight().columns(), leftGroup, ScaleStorage.SYMMETRIC),
        grid(right, rightChannels, rightGroup, ScaleStorage.SYMMETRIC));
  }

  /** A transform and its cost in bits per weight. */
  private record Option(BlockDiagonal spec, double cost) {}

  private static Optional<Option> better(Optional<Option> input, Optional<Option> output) {
    if (input.isEmpty() || output.isEmpty()) {
      return input.or(() -> output);
    }
    Option in = input.get();
    Option out = output.get();
    boolean outputIsBetter =
        out.spec().block() > in.spec().block()
            || (out.spec().block() == in.spec().block() && out.cost() < in.cost());
    return outputIsBetter ? output : input;
  }

  private Optional<Option> option(
      TensorSettings settings, Kind kind, Side side, List<RowRange> rows) {
    if (settings.side().isPresent() && settings.side().get() != side) {
      return Optional.empty();
    }
    int channels =
        switch (side) {
          case INPUT -> rows.getFirst().tensor().weight().columns();
          case OUTPUT -> rows.stream().mapToInt(RowRange::count).min().orElseThrow();
        };
    int largest = TreatmentLimits.largestBlock(kind, channels);
    if (settings.block().isPresent()) {
      int block = Math.min(settings.block().getAsInt(), largest);
      return block < TreatmentLimits.LEAST_BLOCK
          ? Optional.empty()
          : Optional.of(option(kind, side, block, rows));
    }
    // Signs cost the same at any size, so only the largest Hadamard block is of use.
    int least =
        kind == Kind.HADAMARD
            ? Math.max(largest, TreatmentLimits.LEAST_BLOCK)
            : TreatmentLimits.LEAST_BLOCK;
    for (int block = largest; block >= least; block /= 2) {
      Option option = option(kind, side, block, rows);
      if (option.cost() <= recipe.transform().bits() * (1 + 1e-12)) {
        return Optional.of(option);
      }
    }
    return Optional.empty();
  }

  private Option option(Kind kind, Side side, int block, List<RowRange> rows) {
    BlockDiagonal spec = new BlockDiagonal(kind, side, block, recipe.transform().usualStorage());
    double weights = rows.stream().mapToLong(RowRange::weights).sum();
    return new Option(spec, Part.Stack.transformBits(spec, rows) / weights);
  }

  private Treatment treatment(
      TensorSettings settings, TransformSpec transform, List<RowRange> rows) {
    boolean input = transform instanceof BlockDiagonal blocks && blocks.side() == Side.INPUT;
    List<PlannedTensor> tensors = rows.stream().map(RowRange::tensor).distinct().toList();
    GridSpec grid =
        grid(
            settings,
            tensors.getFirst().weight().columns(),
            group(settings, tensors),
            input ? ScaleStorage.SYMMETRIC : ScaleStorage.ZERO_POINT);
    return Treatment.of(recipe, settings, grid, transform);
  }

  /**
   * @param channels that groups divide: all of a row, or those of a head
   */
  private GridSpec grid(TensorSettings settings, int channels, int group, ScaleStorage usual) {
    Optional<TargetGrids.Form> form = TreatmentLimits.form(settings, channels);
    if (form.isPresent()) {
      return new GridSpec(
          form.get().bits(),
          form.get().group(),
          form.get().storage(),
          form.get().scaleBits(),
          recipe.grid().clip(),
          settings.halves());
    }
    return new GridSpec(
        settings.usualBits(),
        group,
        TreatmentLimits.storage(settings, usual),
        recipe.grid().scaleBits(),
        recipe.grid().clip(),
        settings.halves());
  }

  private int group(TensorSettings settings, List<PlannedTensor> tensors) {
    int columns = tensors.getFirst().weight().columns();
    int wanted = settings.usualGroup();
    int group = TreatmentLimits.group(settings, columns);
    boolean asked = settings.target().isEmpty() || settings.group().isPresent();
    if (asked && wanted != 0 && wanted != columns && group != wanted) {
      String sentence =
          "Group %d does not divide %d input channels, so %s taken"
              .formatted(
                  wanted, columns, group == 0 ? "whole rows are" : "groups of " + group + " are");
      tensors.forEach(tensor -> warnings.add(sentence, tensor.name()));
    }
    return group;
  }
}
