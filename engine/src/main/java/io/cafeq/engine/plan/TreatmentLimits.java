package io.cafeq.engine.plan;

import io.cafeq.config.ScaleStorage;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.target.TargetGrids;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal.Kind;
import java.util.Optional;

/** Limits of treatments for every chooser. */
public final class TreatmentLimits {
  /** The smallest block of a transform. */
  public static final int LEAST_BLOCK = 8;

  private static final int LARGEST_BLOCK = 256;
  private static final int LARGEST_HADAMARD = 1024;

  /** Below this a group's own scale costs as much as its codes. */
  private static final int LEAST_DIVISOR = 8;

  private TreatmentLimits() {}

  /**
   * The kind of transform that the settings allow, empty for round-to-nearest and for targets,
   * which have no place for a transform.
   *
   * @throws EngineException with kind USAGE where the block that they ask for is too large
   */
  public static Optional<Kind> kind(TensorSettings settings, TensorInfo tensor) {
    if (settings.target().isPresent()) {
      return Optional.empty();
    }
    Optional<Kind> kind =
        switch (settings.method()) {
          case CAFEQ -> Optional.of(Kind.LEARNED);
          case ROTATION -> Optional.of(Kind.ROTATION);
          case HADAMARD -> Optional.of(Kind.HADAMARD);
          case RTN, NONE -> Optional.empty();
        };
    if (settings.block().orElse(0) > LARGEST_BLOCK
        && kind.isPresent()
        && kind.get() != Kind.HADAMARD) {
      throw new EngineException(
          FailureKind.USAGE,
          "block %d for tensor %s with method %s: at most %d, since the time of a step grows with the square of the block"
              .formatted(
                  settings.block().getAsInt(), tensor.name(), settings.method(), LARGEST_BLOCK),
          "Take a smaller block for it, or method hadamard.");
    }
    return kind;
  }

  /** The largest block, a power of two, for that many channels. */
  public static int largestBlock(Kind kind, int channels) {
    int largest =
        switch (kind) {
          case LEARNED, ROTATION -> LARGEST_BLOCK;
          case HADAMARD -> LARGEST_HADAMARD;
        };
    return Math.min(Integer.highestOneBit(channels), largest);
  }

  /** The group of the settings, 0 for whole rows, as near as the columns and the target allow. */
  public static int group(TensorSettings settings, int columns) {
    return settings
        .target()
        .map(target -> target.group(settings.usualGroup(), columns).orElseThrow())
        .orElseGet(() -> group(settings.usualGroup(), columns));
  }

  /** The same for groups none of which spans two heads. */
  public static int groupOfHead(TensorSettings settings, int head, int columns) {
    int wanted = settings.usualGroup();
    return settings
        .target()
        .map(target -> target.groupOfHead(wanted, head).orElseThrow())
        .orElseGet(() -> wanted == 0 ? 0 : groupOfHead(wanted, head, columns));
  }

  /** Whether a pair with such heads has grids for both of its matrices. */
  static boolean takesHeads(TensorSettings settings, int head, int columns) {
    return settings
        .target()
        .map(
            target ->
                (!target.hasSuperBlocks() || settings.scales().isPresent())
                    && target.takesHeads(settings.usualGroup(), head, columns)
                    && form(settings, head).isPresent())
        .orElse(true);
  }

  /** What the target has for so many channels; empty where it has nothing, or there is none. */
  static Optional<TargetGrids.Form> form(TensorSettings settings, int channels) {
    return settings
        .target()
        .flatMap(
            target ->
                target.form(
                    settings.usualBits(), settings.usualGroup(), settings.scales(), channels));
  }

  /** How scales are stored: as set, as the target does it, or as usual. */
  public static ScaleStorage storage(TensorSettings settings, ScaleStorage usual) {
    return settings
        .scales()
        .orElseGet(
            () ->
                settings
                    .target()
                    .map(target -> target.storages(settings.usualBits()).getFirst())
                    .orElse(usual));
  }

  /**
   * The largest group up to {@code wanted} that divides the columns. 0 for whole rows, also where
   * one group would be a whole row: its scale is then f16 and costs less.
   */
  private static int group(int wanted, int columns) {
    if (wanted == 0 || wanted == columns) {
      return 0;
    }
    int group = Math.min(wanted, columns);
    while (columns % group != 0) {
      group--;
    }
    return group == columns || (group < wanted && group < LEAST_DIVISOR) ? 0 : group;
  }

  /**
   * The largest divisor of a head's channels up to {@code wanted}, for groups of which none depends
   * on two heads; 0 where that is a whole row.
   */
  public static int groupOfHead(int wanted, int head, int columns) {
    int group = Math.min(wanted, head);
    while (head % group != 0) {
      group--;
    }
    return group == columns ? 0 : group;
  }
}
