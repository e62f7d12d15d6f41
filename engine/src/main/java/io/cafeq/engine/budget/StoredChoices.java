package io.cafeq.engine.budget;

import io.cafeq.config.Recipe;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.plan.Cluster;
import io.cafeq.engine.plan.Part.RowRange;
import io.cafeq.engine.transform.TransformSpec;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Choices to and from what {@link PlanFile} keeps. Coming back, nothing is taken on trust: the rows
 * must be those of the plan, each choice one that measuring could have made, and all of them
 * together within the target.
 */
final class StoredChoices {
  private final Recipe recipe;

  StoredChoices(Recipe recipe) {
    this.recipe = recipe;
  }

  PlanFile.Entry store(Cluster cluster, Chosen chosen) {
    return new PlanFile.Entry(
        rows(cluster),
        chosen.division(),
        chosen.parts().stream().map(StoredChoices::store).toList());
  }

  private static PlanFile.Treated store(Chosen.Part part) {
    GridSpec grid = part.choice().grid();
    PlanFile.Transform transform =
        switch (part.choice().transform()) {
          case TransformSpec.None none -> null;
          case BlockDiagonal blocks ->
              new PlanFile.Transform(
                  blocks.kind(), blocks.side(), blocks.block(), blocks.storage());
        };
    return new PlanFile.Treated(
        grid.bits(),
        grid.group(),
        grid.storage(),
        transform,
        part.predicted().bitsPerWeight(),
        part.predicted().relativeError());
  }

  /** What the entries say of the clusters, or empty where they do not fit them or the recipe. */
  Optional<List<Chosen>> restore(List<PlanFile.Entry> entries, List<Cluster> clusters) {
    if (entries.size() != clusters.size()) {
      return Optional.empty();
    }
    List<Chosen> chosen = new ArrayList<>();
    for (int i = 0; i < entries.size(); i++) {
      Optional<Chosen> restored = restore(entries.get(i), clusters.get(i));
      if (restored.isEmpty()) {
        return Optional.empty();
      }
      chosen.add(restored.get());
    }
    long bits = chosen.stream().mapToLong(each -> each.predicted().bits()).sum();
    return bits <= BudgetChooser.budget(clusters, recipe) ? Optional.of(chosen) : Optional.empty();
  }

  private Optional<Chosen> restore(PlanFile.Entry entry, Cluster cluster) {
    if (!entry.rows().equals(rows(cluster))) {
      return Optional.empty();
    }
    List<Possible> possible =
        switch (cluster) {
          case Cluster.Matrices matrices ->
              switch (entry.division()) {
                case TOGETHER -> Pieces.together(matrices).map(this::possible).stream().toList();
                case APART -> Pieces.apart(matrices).stream().map(this::possible).toList();
                case PAIRED -> List.of();
              };
          case Cluster.Coupled pair ->
              switch (entry.division()) {
                case TOGETHER, APART -> List.of();
                case PAIRED ->
                    List.of(
                        possible(
                            Pieces.left(pair),
                            PairGrids.left(pair, recipe),
                            PairGrids.reverseBits(pair, recipe)),
                        possible(Pieces.right(pair), PairGrids.right(pair, recipe), 0));
              };
        };
    if (possible.isEmpty() || possible.size() != entry.treated().size()) {
      return Optional.empty();
    }
    List<Chosen.Part> parts = new ArrayList<>();
    for (int i = 0; i < possible.size(); i++) {
      PlanFile.Treated treated = entry.treated().get(i);
      Optional<Choice> choice = possible.get(i).find(treated);
      if (choice.isEmpty() || !(treated.error() >= 0) || Double.isInfinite(treated.error())) {
        return Optional.empty();
      }
      Piece piece = possible.get(i).piece();
      long bits = piece.bits(choice.get()) + possible.get(i).extraBits();
      double error = treated.error() * treated.error() * piece.weights();
      parts.add(new Chosen.Part(choice.get(), new Predicted(piece.weights(), bits, error)));
    }
    return Optional.of(new Chosen(entry.division(), parts));
  }

  /** What a piece may be treated with. */
  private record Possible(Piece piece, List<Choice> choices, long extraBits) {
    Optional<Choice> find(PlanFile.Treated treated) {
      return choices.stream().filter(choice -> matches(choice, treated)).findFirst();
    }

    private static boolean matches(Choice choice, PlanFile.Treated treated) {
      GridSpec grid = choice.grid();
      PlanFile.Transform transform = treated.transform();
      return grid.bits() == treated.bits()
          && grid.group() == treated.group()
          && grid.storage() == treated.scales()
          && switch (choice.transform()) {
            case TransformSpec.None none -> transform == null;
            case BlockDiagonal blocks ->
                transform != null
                    && blocks.equals(
                        new BlockDiagonal(
                            transform.kind(),
                            transform.side(),
                            transform.block(),
                            transform.storage()));
          };
    }
  }

  private Possible possible(Piece piece) {
    GridCandidates candidates = new GridCandidates(piece.settings(), recipe, piece.columns());
    return new Possible(
        piece, Offers.choices(piece, TransformCandidates.of(piece, recipe), candidates), 0);
  }

  private static Possible possible(Piece factor, PairGrids grids, long extraBits) {
    List<Choice> choices =
        grids.grids().stream().map(grid -> new Choice(grid, new TransformSpec.None())).toList();
    return new Possible(factor, choices, extraBits);
  }

  /** Which rows a cluster is about: the tensors with their first and last row. */
  private static String rows(Cluster cluster) {
    return switch (cluster) {
      case Cluster.Matrices matrices ->
          matrices.members().stream()
              .map(member -> rows(member.rows()))
              .collect(Collectors.joining(", "));
      case Cluster.Coupled pair ->
          rows(Pieces.left(pair).ranges()) + " and " + rows(Pieces.right(pair).ranges());
    };
  }

  private static String rows(List<RowRange> ranges) {
    RowRange last = ranges.getLast();
    return "%s[%d..%d]"
        .formatted(
            last.tensor().name(), ranges.getFirst().first(), last.first() + last.count() - 1);
  }
}
