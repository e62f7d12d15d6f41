package io.cafeq.engine.plan;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.family.KeptReason;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * How much of a model's matrix weights is quantized, and why the rest is not. Weights are those of
 * tensors of two dimensions and more; scales and other companions of packed ones do not count.
 *
 * @param quantized weights in units that are quantized
 * @param inLayers those of them that are neither embeddings nor heads
 * @param kept weights that keep their bytes; no entry where there are none
 * @param canInclude whether any of these could be quantized where {@code include} asks for it
 */
public record Coverage(
    long quantized, long inLayers, Map<KeptReason, Long> kept, boolean canInclude) {
  public Coverage {
    Map<KeptReason, Long> copy = new EnumMap<>(KeptReason.class);
    copy.putAll(kept);
    kept = Collections.unmodifiableMap(copy);
  }

  /** All matrix weights. */
  public long weights() {
    return quantized + kept.values().stream().mapToLong(Long::longValue).sum();
  }

  /** Part of all matrix weights that is quantized; 1 where there are none. */
  public double share() {
    return share(quantized);
  }

  private double share(long some) {
    long all = weights();
    return all == 0 ? 1 : (double) some / all;
  }

  /**
   * Part of the repeated layers' matrix weights that is quantized, without those that the recipe
   * leaves alone.
   */
  double layerShare() {
    long lost =
        kept.entrySet().stream()
            .filter(entry -> entry.getKey().isLoss())
            .mapToLong(Map.Entry::getValue)
            .sum();
    return inLayers + lost == 0 ? 0 : (double) inLayers / (inLayers + lost);
  }

  /** Reasons by weight, the largest first. */
  public List<Map.Entry<KeptReason, Long>> reasons() {
    List<Map.Entry<KeptReason, Long>> reasons = new ArrayList<>(kept.entrySet());
    reasons.sort(
        Map.Entry.<KeptReason, Long>comparingByValue(Comparator.reverseOrder())
            .thenComparing(Map.Entry.comparingByKey()));
    return reasons;
  }

  /**
   * Such as {@code 85 % quantized; embeddings and output heads 12 %, outside the repeated layers 3
   * %}.
   */
  public String text() {
    String text = percent(quantized) + " quantized";
    return kept.isEmpty()
        ? text
        : text
            + "; "
            + reasons().stream()
                .map(entry -> entry.getKey().text() + " " + percent(entry.getValue()))
                .collect(Collectors.joining(", "));
  }

  private String percent(long some) {
    return percent(share(some));
  }

  /**
   * Formats a share of all weights; less than all is never shown as all, nor something as nothing.
   */
  public static String percent(double share) {
    double percent = 100 * share;
    if (percent > 0 && percent < 0.1) {
      return "below 0.1 %";
    }
    boolean nearAll = percent > 99 && share < 1;
    double shown = nearAll ? Math.min(percent, 99.9) : percent;
    return String.format(Locale.ROOT, percent < 10 || nearAll ? "%.1f %%" : "%.0f %%", shown);
  }

  /**
   * Fails where nothing is quantized, or less of the repeated layers than asked for, unless the
   * recipe left it alone.
   *
   * @param least part of the repeated layers' matrix weights, from 0 (nothing is asked for) to 1
   * @param model for the message
   */
  public void require(double least, String model) {
    boolean asked = kept.getOrDefault(KeptReason.RECIPE, 0L) > 0;
    if (least <= 0 || (quantized == 0 && asked)) {
      return;
    }
    if (quantized == 0) {
      throw refusal(model + ": nothing would be quantized: " + found());
    }
    if (inLayers > 0 && layerShare() < least) {
      throw refusal(
          String.format(
              Locale.ROOT,
              "%s: %.0f %% of the repeated layers' matrix weights would be quantized, at least"
                  + " %.0f %% are expected: %s",
              model,
              100 * layerShare(),
              100 * least,
              text()));
    }
  }

  private String found() {
    return kept.isEmpty()
        ? "there are no matrices"
        : reasons().stream()
            .map(entry -> entry.getKey().text() + " " + percent(entry.getValue()))
            .collect(Collectors.joining(", "));
  }

  private EngineException refusal(String message) {
    return new EngineException(
        FailureKind.CHECKPOINT,
        message,
        (canInclude ? "Name the matrices to quantize with --include, or give" : "Give")
            + " --minimum-coverage 0 to quantize what there is; \"cafeq plan --minimum-coverage 0\""
            + " and \"cafeq inspect --all\" show the tensors.");
  }
}
