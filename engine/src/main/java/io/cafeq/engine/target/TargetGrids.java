package io.cafeq.engine.target;

import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Target;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.HalfType;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The grids that the files of a target can hold. None of these targets has a place for a transform
 * or a scale of input channels that something must apply at inference.
 *
 * @param forms all combinations, for each number of bits the default first
 * @param halves how scales beside weights of the type in question are rounded
 * @param uniform whether bits and groups are stated once, for all matrices
 */
public record TargetGrids(Target target, List<Form> forms, HalfType halves, boolean uniform) {
  /**
   * One grid that the target holds.
   *
   * @param bits of codes
   * @param group input channels that share a scale; 0 for whole rows
   * @param storage of scales and zero points
   * @param scaleBits bits of the codes of scales in super-blocks; of no meaning elsewhere
   */
  public record Form(int bits, int group, ScaleStorage storage, int scaleBits) {
    private static final int NO_MEANING = 8;

    Form(int bits, int group, ScaleStorage storage) {
      this(bits, group, storage, NO_MEANING);
    }

    /** Whether so many input channels are whole groups, or whole super-blocks. */
    boolean fits(int channels) {
      int length = storage.hasSuperBlocks() ? GridSpec.SUPER_BLOCK : group;
      return length == 0 || channels % length == 0;
    }
  }

  public TargetGrids {
    forms = List.copyOf(forms);
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
                  all(
                      List.of(2, 3, 4, 5, 6, 7, 8),
                      List.of(0, 32, 64, 128),
                      List.of(ScaleStorage.SIGNED, ScaleStorage.F16)),
                  like(weights),
                  false));
      case MLX ->
          Optional.of(
              new TargetGrids(
                  target,
                  all(
                      List.of(2, 3, 4, 5, 6, 8),
                      List.of(32, 64, 128),
                      List.of(ScaleStorage.F16_MINIMUM)),
                  like(weights),
                  false));
      case GPTQ ->
          Optional.of(
              new TargetGrids(
                  target,
                  all(List.of(4, 8), List.of(0, 32, 64, 128), List.of(ScaleStorage.SIGNED)),
                  HalfType.F16,
                  true));
      case GGUF -> Optional.of(new TargetGrids(target, gguf(), HalfType.F16, false));
    };
  }

  /** Q2_K to Q6_K first, then Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0. */
  private static List<Form> gguf() {
    List<Form> forms =
        new ArrayList<>(
            List.of(
                new Form(2, 16, ScaleStorage.K_MINIMUM, 4),
                new Form(3, 16, ScaleStorage.K_SIGNED, 6),
                new Form(4, 32, ScaleStorage.K_MINIMUM, 6),
                new Form(5, 32, ScaleStorage.K_MINIMUM, 6),
                new Form(6, 16, ScaleStorage.K_SIGNED, 8)));
    forms.addAll(
        all(List.of(4, 5), List.of(32), List.of(ScaleStorage.SIGNED, ScaleStorage.F16_MINIMUM)));
    forms.add(new Form(8, 32, ScaleStorage.SIGNED));
    return forms;
  }

  /** What llama.cpp itself takes for a K type where a row is no multiple of a super-block. */
  private static Optional<Form> substitute(Target target, int bits) {
    if (target != Target.GGUF) {
      return Optional.empty();
    }
    return switch (bits) {
      case 2, 3 -> Optional.of(new Form(4, 32, ScaleStorage.SIGNED));
      case 4 -> Optional.of(new Form(5, 32, ScaleStorage.SIGNED));
      case 5 -> Optional.of(new Form(5, 32, ScaleStorage.F16_MINIMUM));
      case 6 -> Optional.of(new Form(8, 32, ScaleStorage.SIGNED));
      default -> Optional.empty();
    };
  }

  private static List<Form> all(
      List<Integer> bits, List<Integer> groups, List<ScaleStorage> storages) {
    List<Form> forms = new ArrayList<>();
    for (int each : bits) {
      for (ScaleStorage storage : storages) {
        groups.forEach(group -> forms.add(new Form(each, group, storage)));
      }
    }
    return forms;
  }

  /** Like the weights: half the digits of float are enough for scales. */
  private static HalfType like(Dtype weights) {
    return weights == Dtype.BF16 ? HalfType.BF16 : HalfType.F16;
  }

  /** All bits that some grid has. */
  public SortedSet<Integer> bits() {
    return forms.stream().map(Form::bits).collect(Collectors.toCollection(TreeSet::new));
  }

  /** All groups that some grid has. */
  public SortedSet<Integer> groups() {
    return forms.stream().map(Form::group).collect(Collectors.toCollection(TreeSet::new));
  }

  /** How scales may be stored beside codes of so many bits, the default first. */
  public List<ScaleStorage> storages(int bits) {
    return List.copyOf(
        forms.stream()
            .filter(form -> form.bits() == bits)
            .map(Form::storage)
            .collect(Collectors.toCollection(LinkedHashSet::new)));
  }

  /** The grid of these, where there is one. */
  public Optional<Form> find(int bits, int group, ScaleStorage storage) {
    return forms.stream()
        .filter(form -> form.bits() == bits && form.group() == group && form.storage() == storage)
        .findFirst();
  }

  /**
   * What may be chosen where nobody asks for one: all types of a GGUF file, elsewhere the default,
   * since not all loaders read the others.
   */
  public List<ScaleStorage> unasked(int bits) {
    List<ScaleStorage> all = storages(bits);
    return target == Target.GGUF || all.isEmpty() ? all : List.of(all.getFirst());
  }

  /** Whether there is such a grid. */
  public boolean holds(int bits, int group, ScaleStorage storage) {
    return find(bits, group, storage).isPresent();
  }

  /**
   * The grid of a matrix: of the default storage where none is asked for, with the group that is
   * nearest; where that storage does not fit the channels, what takes its place, which can have
   * more bits. Empty where nothing fits.
   *
   * @param group that is wanted, 0 for whole rows
   * @param channels that groups must divide: all of a row, or those of a head
   */
  public Optional<Form> form(int bits, int group, Optional<ScaleStorage> storage, int channels) {
    ScaleStorage wanted = storage.orElseGet(() -> storages(bits).getFirst());
    List<Form> fitting =
        forms.stream()
            .filter(form -> form.bits() == bits && form.storage() == wanted)
            .filter(form -> form.fits(channels))
            .toList();
    if (fitting.isEmpty()) {
      return storage.isEmpty()
          ? substitute(target, bits).filter(form -> form.fits(channels))
          : Optional.empty();
    }
    Optional<Form> rows = fitting.stream().filter(form -> form.group() == 0).findFirst();
    if (group == 0 && rows.isPresent()) {
      return rows;
    }
    List<Form> grouped = fitting.stream().filter(form -> form.group() > 0).toList();
    return grouped.stream()
        .filter(form -> group == 0 || form.group() <= group)
        .max(Comparator.comparingInt(Form::group))
        .or(() -> grouped.stream().min(Comparator.comparingInt(Form::group)))
        .or(() -> rows);
  }

  /** All grids for so many channels. */
  public List<Form> formsOf(int channels) {
    return forms.stream().filter(form -> form.fits(channels)).toList();
  }

  /** Whether some grids have super-blocks, which would span the heads of a pair. */
  public boolean hasSuperBlocks() {
    return forms.stream().anyMatch(form -> form.storage().hasSuperBlocks());
  }

  /** Whether its files can hold such a grid, scales beside the weights' type included. */
  public boolean holds(GridSpec grid) {
    return holds(grid.bits(), grid.group(), grid.storage())
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

  /**
   * Refuses what was asked for and is not held, with kind USAGE.
   *
   * @param tensor for the message
   * @param group 0 for whole rows; empty where it is to be chosen
   * @param storage empty where it is to be chosen
   */
  public void require(String tensor, int asked, OptionalInt group, Optional<ScaleStorage> storage) {
    List<Form> left = forms.stream().filter(form -> form.bits() == asked).toList();
    if (left.isEmpty()) {
      throw refusal(tensor, asked + " bits", "bits: " + words(bits()));
    }
    left = required(left, form -> group.isEmpty() || form.group() == group.getAsInt());
    if (left.isEmpty()) {
      String groupAsked = group.getAsInt() == 0 ? "whole rows" : "groups of " + group.getAsInt();
      throw refusal(tensor, groupAsked, "groups: " + words(groups()));
    }
    left = required(left, form -> storage.isEmpty() || form.storage() == storage.get());
    if (left.isEmpty()) {
      throw refusal(
          tensor,
          "scales stored as " + storage.orElseThrow() + " beside " + asked + " bits",
          "scales: " + words(storages(asked)));
    }
  }

  private static List<Form> required(List<Form> forms, Predicate<Form> condition) {
    return forms.stream().filter(condition).toList();
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
    return group.isEmpty() && groups().contains(0) ? OptionalInt.of(0) : group;
  }

  /** The same for groups none of which may span two heads of so many channels. */
  public OptionalInt groupOfHead(int wanted, int channels) {
    if (wanted == 0 && groups().contains(0)) {
      return OptionalInt.of(0);
    }
    List<Integer> fitting =
        groups().stream().filter(group -> group > 0 && channels % group == 0).toList();
    return fitting.stream()
        .filter(group -> wanted == 0 || group <= wanted)
        .max(Comparator.naturalOrder())
        .or(() -> fitting.stream().min(Comparator.naturalOrder()))
        .map(OptionalInt::of)
        .orElse(OptionalInt.empty());
  }

  /** All groups for so many channels, 0 last. */
  public List<Integer> groupsOf(int channels) {
    SortedSet<Integer> groups = groups();
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
    return groups().stream().anyMatch(group -> group == 0 || channels % group == 0);
  }
}
