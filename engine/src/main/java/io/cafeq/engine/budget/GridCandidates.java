package io.cafeq.engine.budget;

import io.cafeq.config.Recipe;
import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.plan.TensorSettings;
import io.cafeq.engine.plan.TreatmentLimits;
import io.cafeq.engine.rounding.RoundingRule;
import io.cafeq.engine.target.TargetGrids;
import java.util.ArrayList;
import java.util.List;

/** The grids among which a matrix may choose. */
final class GridCandidates {
  private static final int FEWEST_BITS = 2;
  private static final int MOST_BITS = 8;
  private static final int[] GROUPS = {16, 24, 32, 48, 64, 96, 128, 192, 256};

  private final TensorSettings settings;
  private final Recipe recipe;
  private final int columns;

  /**
   * @param recipe has a target
   */
  GridCandidates(TensorSettings settings, Recipe recipe, int columns) {
    this.settings = settings;
    this.recipe = recipe;
    this.columns = columns;
  }

  /**
   * Bits per code: as fixed, or from one below the target to two above it. An error four times the
   * mean, which one bit more makes up for, is rare among the matrices of one model, sixteen times
   * is not seen.
   */
  List<Integer> bits() {
    if (settings.bits().isPresent()) {
      return List.of(settings.bits().getAsInt());
    }
    int whole = (int) recipe.targetBitsPerWeight().orElseThrow();
    List<Integer> bits = new ArrayList<>();
    for (int b = Math.clamp(whole - 1, FEWEST_BITS, MOST_BITS);
        b <= Math.min(whole + 2, MOST_BITS);
        b++) {
      bits.add(b);
    }
    settings.target().ifPresent(target -> bits.retainAll(target.bits()));
    return bits;
  }

  /**
   * Columns per group: as fixed, or all multiples of 8 that kernels like and that divide the
   * columns, and whole rows (0).
   */
  List<Integer> groups() {
    if (settings.group().isPresent()) {
      return List.of(TreatmentLimits.group(settings, columns));
    }
    if (settings.target().isPresent()) {
      return settings.target().get().groupsOf(columns);
    }
    List<Integer> groups = new ArrayList<>();
    for (int group : GROUPS) {
      if (columns % group == 0 && group < columns) {
        groups.add(group);
      }
    }
    groups.add(0);
    return groups;
  }

  /** Without a transform. */
  List<GridSpec> plain() {
    return all(
        settings
            .scales()
            .map(List::of)
            .or(() -> settings.target().map(this::storages))
            .orElse(List.of(ScaleStorage.ZERO_POINT, ScaleStorage.OFFSET, ScaleStorage.SYMMETRIC)),
        groups());
  }

  /**
   * Under a transform of that side: its ranges are symmetric on the input side, where an integer
   * zero point costs error.
   */
  List<GridSpec> transformed(Side side) {
    return all(storages(side), transformedGroups());
  }

  /** The storage of RTN that gains are relative to. */
  ScaleStorage reference() {
    return TreatmentLimits.storage(settings, ScaleStorage.ZERO_POINT);
  }

  /**
   * The rounding rule of the baseline under statistics: that of the recipe, nearest for a
   * stochastic one.
   */
  static RoundingRule plainRule(Recipe recipe) {
    return switch (recipe.rounding()) {
      case NEAREST, STOCHASTIC -> new RoundingRule.Nearest();
      case NEAREST_PLANE -> new RoundingRule.NearestPlane();
    };
  }

  /** Share of the measured squared error that the baseline has under the recipe's rule. */
  double plainShare() {
    return switch (recipe.rounding()) {
      case NEAREST, NEAREST_PLANE -> 1;
      case STOCHASTIC -> 2;
    };
  }

  /** How scales may be stored under a transform of that side. */
  List<ScaleStorage> storages(Side side) {
    return settings
        .scales()
        .map(List::of)
        .orElse(
            switch (side) {
              case INPUT -> List.of(ScaleStorage.SYMMETRIC);
              case OUTPUT -> List.of(ScaleStorage.ZERO_POINT, ScaleStorage.OFFSET);
            });
  }

  /**
   * Smaller groups leave nothing for a transform to gain; whole rows cost nearly as much as the
   * largest group.
   */
  private List<Integer> transformedGroups() {
    if (settings.group().isPresent()) {
      return groups();
    }
    List<Integer> useful = groups().stream().filter(group -> group >= 32).toList();
    return useful.isEmpty() ? List.of(0) : useful;
  }

  /** One grid of this recipe. */
  GridSpec grid(int bits, int group, ScaleStorage storage) {
    int scaleBits =
        settings
            .target()
            .flatMap(target -> target.find(bits, group, storage))
            .map(TargetGrids.Form::scaleBits)
            .orElse(recipe.grid().scaleBits());
    return new GridSpec(bits, group, storage, scaleBits, recipe.grid().clip(), settings.halves());
  }

  private List<ScaleStorage> storages(TargetGrids target) {
    return bits().stream().flatMap(bits -> target.unasked(bits).stream()).distinct().toList();
  }

  private List<GridSpec> all(List<ScaleStorage> storages, List<Integer> groups) {
    List<GridSpec> grids = new ArrayList<>();
    if (settings.target().isPresent()) {
      for (TargetGrids.Form form : settings.target().get().formsOf(columns)) {
        if (bits().contains(form.bits())
            && storages.contains(form.storage())
            && groups.contains(form.group())) {
          grids.add(grid(form.bits(), form.group(), form.storage()));
        }
      }
      return grids;
    }
    for (int bits : bits()) {
      for (int group : groups) {
        for (ScaleStorage storage : storages) {
          grids.add(grid(bits, group, storage));
        }
      }
    }
    return grids;
  }
}
