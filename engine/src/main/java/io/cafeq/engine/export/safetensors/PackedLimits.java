package io.cafeq.engine.export.safetensors;

import io.cafeq.config.Target;
import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.LayoutKind;
import io.cafeq.engine.export.Answer;
import io.cafeq.engine.export.ExportCheck;
import io.cafeq.engine.export.Limit;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.target.TargetGrids;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** What stands against packing a result for a target. */
final class PackedLimits {
  private PackedLimits() {}

  static ExportCheck check(ResultReader result, Target target) {
    ExportCheck check =
        ExportCheck.of(
            result,
            List.of(
                grids(target),
                oneGrid(),
                Limit.transforms(Set.of()),
                Limit.matrices(),
                Limit.layouts(EnumSet.of(LayoutKind.PLAIN, LayoutKind.TILED, LayoutKind.SCALED)),
                Limit.ordinaryRows()));
    boolean hasConfig =
        result.manifest().sideFiles().stream().anyMatch(file -> file.path().equals("config.json"));
    boolean hasCodes =
        result.tensors().stream().anyMatch(tensor -> result.header(tensor.name()).isQuantized());
    return check.and(
        new ExportCheck(
            hasConfig && hasCodes
                ? List.of()
                : List.of(
                    hasCodes
                        ? new Answer.Refuses(
                            "the checkpoint has no config.json, which says how it is quantized",
                            "Quantize a checkpoint that has one.")
                        : new Answer.Refuses(
                            "no tensor is quantized", "Export it with --format dense.")),
            List.of()));
  }

  /** Grids that were chosen for this target, or that happen to be among its own. */
  private static Limit grids(Target target) {
    return form ->
        form.header().sections().stream()
            .map(section -> section.coding().grid())
            .filter(
                grid -> !TargetGrids.of(target, scales(form.header())).orElseThrow().holds(grid))
            .findFirst()
            .map(
                grid ->
                    new Answer.Refuses(
                        "grids of %d bits, groups of %s and scales %s are none of its own"
                            .formatted(
                                grid.bits(),
                                grid.wholeRow() ? "whole rows" : grid.group() + " input channels",
                                grid.storage()),
                        "Quantize again with --target " + target + "."));
  }

  private static Limit oneGrid() {
    return form ->
        form.header().sections().stream().map(section -> section.coding().grid()).distinct().count()
                > 1
            ? Optional.of(
                new Answer.Refuses(
                    "rows of one tensor have unlike grids, expected one",
                    "Quantize again with --no-pairs."))
            : Optional.empty();
  }

  /** The grid of a tensor that is within the limits. */
  static GridSpec grid(TensorHeader header) {
    return header.sections().getFirst().coding().grid();
  }

  /**
   * The type of scales beside a tensor's weights: that of the weights, BF16 where those were
   * quantized.
   */
  static Dtype scales(TensorHeader header) {
    if (header.layout().isQuantized()) {
      return Dtype.BF16;
    }
    return header.dtype() == Dtype.F64 ? Dtype.F32 : header.dtype();
  }
}
