package io.cafeq.engine.target;

import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Target;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.HalfType;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The grids that the files of a target can hold. None of these targets has a place for a transform
 * or a scale of input channels that something must apply at inference.
 *
 * @param bits of codes
 * @param groups input channels that share a scale; 0 for whole rows
 * @param storages of scales and zero points, the default first
 * @param uniform whether bits and groups are stated once, for all matrices
 * @param halves how scales beside weights of the type in question are rounded
 */
public record TargetGrids(
    Target target,
    SortedSet<Integer> bits,
    SortedSet<Integer> groups,
    List<ScaleStorage> storages,
    HalfType halves,
    boolean uniform) {
  public TargetGrids {
    storages = List.copyOf(storages);
  }

  /**
   * Empty where there is no target.
   *
   * @param weights type of the weights
   */
  public static Optional<TargetGrids> of(Target target, Dtype weights) {
    return switch (target) {
      case NONE -> Optional.empty();
      case COMPRESSED_TENSORS ->
          Optional.of(
              new TargetGrids(
                  target,
                  sorted(2, 3, 4, 5, 6, 7, 8),
                  sorted(0, 32, 64, 128),
                  List.of(ScaleStorage.SIGNED, ScaleStorage.F16),
                  like(weights),
                  false));
      case MLX ->
          Optional.of(
              new TargetGrids(
                  target,
                  sorted(2, 3, 4, 5, 6, 8),
                  sorted(32, 64, 128),
                  List.of(ScaleStorage.F16_MINIMUM),
                  like(weights),
                  false));
      case GPTQ ->
          Optional.of(
              new TargetGrids(
                  target,
                  sorted(4, 8),
                  sorted(0, 32, 64, 128),
                  List.of(ScaleStorage.SIGNED),
                  HalfType.F16,
                  true));
    };
  }

  /** Scales have the type of the weights; half the digits of float are enough for them. */
  private static HalfType like(Dtype weights) {
    return weights == Dtype.BF16 ? HalfType.BF16 : HalfType.F16;
  }

  private static SortedSet<Integer> sorted(Integer... values) {
    return new TreeSet<>(List.of(values));
  }

  /**
   * Refuses what was asked for and is not held, with kind USAGE.
   *
   * @param tensor for the message
   * @param codeBits bits of its codes
   * @param group 0 for whole rows; empty where it is to be chosen
   * @param storage empty where it is to be chosen
   */
  public void require(
      String tensor, int codeBits, OptionalInt group, Optional<ScaleStorage> storage) {
    if (!bits.contains(codeBits)) {
      throw refusal(tensor, codeBits + " bits", "bits: " + words(bits));
    }
    if (group.isPresent() && !groups.contains(group.getAsInt())) {
      String asked = group.getAsInt() == 0 ? "whole rows" : "groups of " + group.getAsInt();
      throw refusal(tensor, asked, "groups: " + words(groups));
    }
    if (storage.isPresent() && !storages.contains(storage.get())) {
      throw refusal(tensor, "scales stored as " + storage.get(), "scales: " + words(storages));
    }
  }

  private EngineException refusal(String tensor, String asked, String held) {
    return new EngineException(
        FailureKind.USAGE,
        "%s for tensor %s: target %s does not hold that".formatted(asked, tensor, target),
        "Ask for what it holds. " + held.replace(" 0,", " channel,") + ".");
  }

  private static String words(Collection<?> values) {
    return values.stream().map(Object::toString).collect(Collectors.joining(", "));
  }

  /**
   * The largest group up to {@code wanted} (0: whole rows) that divides so many channels, else the
   * smallest one above, else whole rows; empty where the target has none of them.
   */
  public OptionalInt group(int wanted, int channels) {
    OptionalInt group = groupOfHead(wanted, channels);
    return group.isEmpty() && groups.contains(0) ? OptionalInt.of(0) : group;
  }

  /** The same for groups none of which may span two heads of so many channels. */
  public OptionalInt groupOfHead(int wanted, int channels) {
    if (wanted == 0 && groups.contains(0)) {
      return OptionalInt.of(0);
    }
    List<Integer> fitting =
        groups.stream().filter(group -> group > 0 && channels % group == 0).toList();
    return fitting.stream()
        .filter(group -> wanted == 0 || group <= wanted)
        .max(Comparator.naturalOrder())
        .or(() -> fitting.stream().min(Comparator.naturalOrder()))
        .map(OptionalInt::of)
        .orElse(OptionalInt.empty());
  }

  /** Whether its files can hold such a grid, scales beside the weights' type included. */
  public boolean holds(GridSpec grid) {
    return bits.contains(grid.bits())
        && groups.contains(grid.group())
        && storages.contains(grid.storage())
        && (halves == HalfType.F16 || grid.halves() == halves);
  }

  /**
   * Whether a pair whose right matrix reads heads of so many channels can have its grids: groups
   * within a head, and the same as elsewhere where there is only one.
   */
  public boolean takesHeads(int wanted, int head, int channels) {
    OptionalInt group = groupOfHead(wanted, head);
    return group.isPresent() && (!uniform || group.equals(group(wanted, channels)));
  }

  /** All groups for so many channels, 0 last. */
  public List<Integer> groupsOf(int channels) {
    return Stream.concat(
            groups.stream().filter(group -> group > 0 && channels % group == 0),
            groups.stream().filter(group -> group == 0))
        .toList();
  }

  /** Whether loaders fuse matrices, which must have one grid then. */
  public boolean fusedAlike() {
    return target == Target.COMPRESSED_TENSORS;
  }

  /** Whether a matrix of so many input channels has a grid at all. */
  public boolean takes(int channels) {
    return groups.contains(0) || groups.stream().anyMatch(group -> channels % group == 0);
  }
}
