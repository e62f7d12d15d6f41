package io.cafeq.engine.budget;

import io.cafeq.config.Recipe;
import io.cafeq.config.ScaleStorage;
import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.plan.Cluster;
import io.cafeq.engine.plan.PairTreatment;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.TensorSettings;
import io.cafeq.engine.plan.TreatmentLimits;
import java.util.ArrayList;
import java.util.List;

/**
 * The grids among which one factor of a pair may choose: symmetric ones where that is free, as
 * under any transform that is learned without a zero point.
 */
final class PairGrids {
  private static final int[] HEAD_GROUPS = {16, 24, 32, 48, 64, 96, 128, 256};

  private final GridCandidates candidates;
  private final TensorSettings settings;
  private final List<Integer> groups;

  private PairGrids(Recipe recipe, TensorSettings settings, int columns, List<Integer> groups) {
    this.candidates = new GridCandidates(settings, recipe, columns);
    this.settings = settings;
    this.groups = groups;
  }

  static PairGrids left(Cluster.Coupled pair, Recipe recipe) {
    return alongRows(pair.left(), pair.leftSettings(), recipe);
  }

  /** Groups of an output matrix are within a head, so that none depends on two. */
  static PairGrids right(Cluster.Coupled pair, Recipe recipe) {
    TensorSettings settings = pair.rightSettings();
    return switch (pair.coupling().kind()) {
      case QUERY_KEY -> alongRows(pair.right(), settings, recipe);
      case VALUE_OUTPUT -> {
        int columns = pair.right().weight().columns();
        int head =
            pair.coupling().heads().stream().mapToInt(Coupling.Head::size).min().orElseThrow();
        List<Integer> groups = new ArrayList<>();
        if (settings.group().isPresent()) {
          groups.add(TreatmentLimits.groupOfHead(settings, head, columns));
        } else if (settings.target().isPresent()) {
          settings.target().get().groupsOf(head).stream()
              .filter(group -> group > 0)
              .forEach(groups::add);
        } else {
          for (int group : HEAD_GROUPS) {
            if (group < head && head % group == 0) {
              groups.add(group);
            }
          }
          groups.add(TreatmentLimits.groupOfHead(head, head, columns));
        }
        yield new PairGrids(recipe, settings, columns, groups);
      }
    };
  }

  private static PairGrids alongRows(PlannedTensor tensor, TensorSettings settings, Recipe recipe) {
    int columns = tensor.weight().columns();
    List<Integer> groups = new GridCandidates(settings, recipe, columns).groups();
    List<Integer> finite = groups.stream().filter(group -> group != 0).toList();
    return new PairGrids(recipe, settings, columns, finite.isEmpty() ? groups : finite);
  }

  ScaleStorage storage() {
    return TreatmentLimits.storage(settings, ScaleStorage.SYMMETRIC);
  }

  List<Integer> bits() {
    return candidates.bits();
  }

  List<Integer> groups() {
    return groups;
  }

  /** The group nearest to that size, the larger one of two. */
  int groupNear(int size, int columns) {
    int best = groups.getFirst();
    for (int group : groups) {
      int length = group == 0 ? columns : group;
      int bestLength = best == 0 ? columns : best;
      if (Math.abs(length - size) <= Math.abs(bestLength - size)) {
        best = group;
      }
    }
    return best;
  }

  /** All of them. */
  List<GridSpec> grids() {
    List<GridSpec> grids = new ArrayList<>();
    for (int bits : bits()) {
      groups.forEach(group -> grids.add(grid(bits, group)));
    }
    return grids;
  }

  /** Bits of the inverses that a pair stores, on whatever grids. */
  static long reverseBits(Cluster.Coupled pair, Recipe recipe) {
    GridSpec any = left(pair, recipe).grids().getFirst();
    return pair.treated(PairTreatment.of(recipe, pair.leftSettings(), any, any)).reverseBits();
  }

  GridSpec grid(int bits, int group) {
    return candidates.grid(bits, group, storage());
  }

  /** The grid of RTN that gains are relative to. */
  GridSpec reference(int bits, int group) {
    return candidates.grid(bits, group, candidates.reference());
  }

  List<GridSpec> references() {
    return grids().stream().map(grid -> reference(grid.bits(), grid.group())).toList();
  }
}
