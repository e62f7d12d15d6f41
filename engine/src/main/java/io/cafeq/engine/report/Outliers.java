package io.cafeq.engine.report;

import io.cafeq.engine.family.Role;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.receipt.UnitFigures;
import io.cafeq.engine.receipt.UnitReceipt;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Finds units whose errors are far above those of the units of the same roles. An error halves with
 * each bit, so errors are compared as if all units had the same bits; so that a unit with fewer
 * bits is no outlier for that alone. Medians are robust against outliers.
 */
public final class Outliers {
  /** Ordinary units of a role are within a factor of two of their median. */
  private static final double FAR_ABOVE = 3;

  /** Smaller errors do little harm, whatever is usual for the kind. */
  private static final double LEAST_ERROR = 0.2;

  /** A kind with fewer units has no meaningful median and is compared with all. */
  private static final int FEWEST = 3;

  /** No rounding of weights with one bell, trained or drawn, has more than this times 2^-bits. */
  private static final double MOST_OF_ANY_KIND = 3;

  private Outliers() {}

  /** One error of one unit. */
  private record Measured(Unit.Quantized unit, Set<Role> roles, double bits, double error) {
    private double atNoBits() {
      return error * Math.pow(2, bits);
    }
  }

  /**
   * In the order of the results, a unit at most once: by the error of its outputs where that is far
   * above.
   */
  public static List<Outlier> among(List<UnitResult> results) {
    Map<String, Outlier> found = new HashMap<>();
    among(results, Outlier.Measure.RELATIVE_ERROR)
        .forEach(outlier -> found.put(outlier.unit(), outlier));
    among(results, Outlier.Measure.OUTPUT_ERROR)
        .forEach(outlier -> found.put(outlier.unit(), outlier));
    return results.stream()
        .flatMap(result -> Stream.ofNullable(found.get(result.unit().id())))
        .toList();
  }

  private static List<Outlier> among(List<UnitResult> results, Outlier.Measure measure) {
    List<Measured> all =
        measured(
            results,
            figures ->
                switch (measure) {
                  case RELATIVE_ERROR ->
                      (Double) figures.result().relativeError(figures.squaredNorm());
                  case OUTPUT_ERROR -> figures.result().relativeOutputError(figures.outputNorm());
                });
    List<Outlier> found = new ArrayList<>();
    for (Measured unit : all) {
      double usual = usual(unit, all, measure) * Math.pow(2, -unit.bits());
      if (unit.error() > Math.max(LEAST_ERROR, FAR_ABOVE * usual)) {
        List<String> tensors =
            unit.unit().parts().stream()
                .flatMap(part -> part.matrices().stream())
                .map(PlannedTensor::name)
                .distinct()
                .toList();
        found.add(new Outlier(unit.unit().id(), tensors, measure, unit.error(), usual));
      }
    }
    return found;
  }

  /** The least of what is usual for the unit's kind, for all units, and for weights of any kind. */
  private static double usual(Measured unit, List<Measured> all, Outlier.Measure measure) {
    List<Measured> kind = all.stream().filter(other -> other.roles().equals(unit.roles())).toList();
    double usual =
        switch (measure) {
          case RELATIVE_ERROR -> MOST_OF_ANY_KIND;
          // Inputs decide how much of an output's error is the weights'.
          case OUTPUT_ERROR -> Double.POSITIVE_INFINITY;
        };
    if (all.size() >= FEWEST) {
      usual = Math.min(usual, median(all));
    }
    if (kind.size() >= FEWEST) {
      usual = Math.min(usual, median(kind));
    }
    return usual;
  }

  private static double median(List<Measured> units) {
    double[] sorted = units.stream().mapToDouble(Measured::atNoBits).sorted().toArray();
    return sorted[sorted.length / 2];
  }

  private static List<Measured> measured(
      List<UnitResult> results, Function<UnitFigures, @Nullable Double> error) {
    List<Measured> all = new ArrayList<>();
    for (UnitResult result : results) {
      UnitReceipt receipt = result.receipt();
      UnitFigures figures = receipt == null ? null : receipt.figures();
      Double measured = figures == null ? null : error.apply(figures);
      if (figures != null && measured != null && result.unit() instanceof Unit.Quantized unit) {
        double bits = Figures.perWeight(figures.result().bits(), figures.weights());
        all.add(new Measured(unit, roles(unit), bits, measured));
      }
    }
    return all;
  }

  private static Set<Role> roles(Unit.Quantized unit) {
    Set<Role> roles = new TreeSet<>();
    unit.parts().forEach(part -> part.matrices().forEach(matrix -> roles.add(matrix.role())));
    return roles;
  }
}
