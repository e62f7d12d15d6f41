package io.cafeq.engine.export;

import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.checkpoint.LayoutKind;
import io.cafeq.engine.grid.GridSpec;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Something that a format cannot hold. The factories look at quantized tensors and have what most
 * formats need; a format adds its own, for instance where shapes must be multiples of something.
 */
@FunctionalInterface
public interface Limit {
  /** Empty where the tensor is within the limit. */
  Optional<Answer.Refuses> against(TensorForm form);

  /** Codes of these bits only. */
  static Limit bits(Integer... bits) {
    List<Integer> allowed = Arrays.stream(bits).sorted().toList();
    return grid(
        grid -> allowed.contains(grid.bits()),
        grid -> "codes have " + grid.bits() + " bits, expected " + joined(allowed),
        "Quantize again with --bits " + allowed.getLast() + ".");
  }

  /** Groups of so many input channels only; 0 stands for whole rows. */
  static Limit groups(Integer... groups) {
    List<Integer> allowed = Arrays.stream(groups).sorted().toList();
    return grid(
        grid -> allowed.contains(grid.group()),
        grid ->
            "groups have "
                + group(grid.group())
                + " input channels, expected "
                + allowed.stream().map(Limit::group).collect(Collectors.joining(", ")),
        "Quantize again with --group "
            + (allowed.getLast() == 0 ? "channel" : allowed.getLast())
            + ".");
  }

  /** Scales and zero points that are stored in these ways only. */
  static Limit storages(Set<ScaleStorage> allowed) {
    List<ScaleStorage> sorted = allowed.stream().sorted().toList();
    return grid(
        grid -> allowed.contains(grid.storage()),
        grid -> "scales are " + grid.storage().text() + ", expected " + joined(sorted),
        "Quantize again with --scales " + sorted.getFirst().text() + ".");
  }

  /** Online transforms of these sides only; folded ones need nothing of a format. */
  static Limit transforms(Set<Side> allowed) {
    return form ->
        codings(form.header())
            .map(TensorHeader.Coding::transform)
            .flatMap(Stream::ofNullable)
            .filter(use -> !allowed.contains(use.side()))
            .findFirst()
            .map(
                use ->
                    allowed.isEmpty()
                        ? new Answer.Refuses(
                            "weights have an online transform, expected none",
                            "Quantize again with --transform-bits 0.")
                        : new Answer.Refuses(
                            "weights have an online transform of the "
                                + use.side()
                                + " side, expected "
                                + joined(allowed),
                            "Quantize again with --side " + allowed.iterator().next() + "."));
  }

  /** No factors of pairs, of which only the products are the source's. */
  static Limit unfolded() {
    return form ->
        codings(form.header())
            .filter(TensorHeader.Coding::coupled)
            .findFirst()
            .map(
                coding ->
                    new Answer.Refuses(
                        "weights have the transform of a pair folded in, expected the source's",
                        "Quantize again with --no-pairs."));
  }

  /** No scales of input channels. */
  static Limit unscaled() {
    return form ->
        codings(form.header()).anyMatch(coding -> coding.columnScales() != null)
            ? Optional.of(
                new Answer.Refuses(
                    "input channels have scales of their own, expected none",
                    "Quantize again with --no-column-scales."))
            : Optional.empty();
  }

  /** All rows of a tensor coded alike. */
  static Limit uniform() {
    return form ->
        codings(form.header()).distinct().count() > 1
            ? Optional.of(
                new Answer.Refuses(
                    "rows of one tensor are coded unlike, expected one coding",
                    "Quantize again with --no-pairs --no-fall-back."))
            : Optional.empty();
  }

  /** Matrices only, no stacks of experts in one tensor. */
  static Limit matrices() {
    return form ->
        form.header().isQuantized() && form.header().firstExpert() >= 0
            ? Optional.of(
                new Answer.Refuses(
                    "one tensor holds the matrices of several experts, expected one matrix",
                    "Quantize again and leave these tensors as they are, with --exclude."))
            : Optional.empty();
  }

  /** Tensors whose source was stored in these layouts only. */
  static Limit layouts(Set<LayoutKind> allowed) {
    return form ->
        !form.header().isQuantized() || allowed.contains(form.header().layout())
            ? Optional.empty()
            : Optional.of(
                new Answer.Refuses(
                    "the source stores the weights as "
                        + form.header().layout().text()
                        + ", expected "
                        + allowed.stream()
                            .sorted()
                            .map(LayoutKind::text)
                            .collect(Collectors.joining(", ")),
                    "Quantize again and leave these tensors as they are, with --exclude."));
  }

  /** No rows whose scales need a power of two beside them. */
  static Limit ordinaryRows() {
    return form ->
        form.hasExponents()
            ? Optional.of(
                new Answer.Refuses(
                    "rows have scales that f16 alone cannot hold",
                    "Quantize again and leave these tensors as they are, with --exclude."))
            : Optional.empty();
  }

  private static Limit grid(
      Predicate<GridSpec> holds, Function<GridSpec, String> reason, String remedy) {
    return form ->
        codings(form.header())
            .map(TensorHeader.Coding::grid)
            .filter(grid -> !holds.test(grid))
            .findFirst()
            .map(grid -> new Answer.Refuses(reason.apply(grid), remedy));
  }

  private static Stream<TensorHeader.Coding> codings(TensorHeader header) {
    return header.sections().stream().map(TensorHeader.Section::coding);
  }

  private static String group(int group) {
    return group == 0 ? "all" : Integer.toString(group);
  }

  private static String joined(Collection<?> values) {
    return values.stream().map(Object::toString).collect(Collectors.joining(", "));
  }
}
