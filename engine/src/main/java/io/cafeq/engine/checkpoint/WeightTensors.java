package io.cafeq.engine.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Finds out of headers and config.json, neither of which anybody has vouched for, which tensors are weight matrices and
 * in which layout. Reads no data. Immutable.
 *
 * <p>{@code X.weight} of 8-bit floats goes with {@code X.weight_scale_inv} or {@code X.weight_scale}, the former where
 * there are both, and either is a factor: one scale for each tile of {@code quantization_config.weight_block_size} (128 x 128 where
 * config.json does not say), for each output channel, or for all. {@code X_blocks} of U8 goes with {@code X_scales}.
 */
public final class WeightTensors {
  private static final int USUAL_TILE = 128;
  private static final String TILED_SCALES = "_scale_inv";
  private static final String OTHER_SCALES = "_scale";
  private static final String BLOCKS = "_blocks";
  private static final String BLOCK_SCALES = "_scales";
  private static final int BLOCK_BYTES = WeightLayout.MicroScaled.BLOCK / 2;
  private static final String REMEDY =
      "Download the checkpoint again, config.json included, or exclude this tensor.";

  /** What a stored tensor is. */
  public sealed interface Reading {
    /** One matrix, or one for each expert, that {@link TensorReader} reads. */
    record Weights(WeightTensor weight) implements Reading {}

    /**
     * Nothing that is read as weights.
     *
     * @param reason continues "NAME ", for people
     */
    record NoWeights(String reason) implements Reading {}
  }

  private final Map<String, TensorInfo> byName;
  private final SortedMap<String, String> scales;
  private final int tileRows;
  private final int tileColumns;

  private WeightTensors(Map<String, TensorInfo> byName, int tileRows, int tileColumns) {
    this.byName = byName;
    this.tileRows = tileRows;
    this.tileColumns = tileColumns;
    SortedMap<String, String> found = new TreeMap<>();
    byName.values().forEach(
        info -> scalesOf(info).ifPresent(scale -> found.put(scale.name(), info.name())));
    this.scales = Collections.unmodifiableSortedMap(found);
  }

  /** {@link CheckpointException} where {@code weight_block_size} of {@code config} is there and makes no sense. */
  public static WeightTensors of(Collection<TensorInfo> tensors, JsonNode config) {
    Map<String, TensorInfo> byName = HashMap.newHashMap(tensors.size());
    tensors.forEach(tensor -> byName.put(tensor.name(), tensor));
    return of(byName, config);
  }

  /** As the other; the map is shared. */
  static WeightTensors of(Map<String, TensorInfo> byName, JsonNode config) {
    JsonNode quantization = config.path("quantization_config");
    if (!quantization.isObject()) {
      quantization = config.path("text_config").path("quantization_config");
    }
    JsonNode size = quantization.path("weight_block_size");
    if (size.isMissingNode() || size.isNull()) {
      return new WeightTensors(byName, USUAL_TILE, USUAL_TILE);
    }
    if (!size.isArray() || size.size() != 2 || !isLength(size.get(0)) || !isLength(size.get(1))) {
      throw new CheckpointException(
          "config.json: quantization_config.weight_block_size: expected two whole numbers above 0, found "
              + Names.shortened(size.toString()),
          "Download config.json again, or mend it.");
    }
    return new WeightTensors(byName, size.get(0).intValue(), size.get(1).intValue());
  }

  private static boolean isLength(JsonNode node) {
    return node.isIntegralNumber() && node.canConvertToInt() && node.intValue() > 0;
  }

  /**
   * Scale tensors, each with the name of the tensor whose weights it scales: they go where that tensor goes, and are no
   * weights themselves.
   */
  public SortedMap<String, String> scales() {
    return scales;
  }

  /** The shape of each tensor by its name. */
  public Map<String, List<Long>> shapes() {
    Map<String, List<Long>> shapes = HashMap.newHashMap(byName.size());
    byName.forEach((name, info) -> shapes.put(name, info.shape()));
    return shapes;
  }

  /**
   * What the tensor is. {@link CheckpointException} where it has scales whose shape does not go with its own; the
   * message names both.
   *
   * @param transposed whether the model's family stores this tensor as [in, out]; without meaning for micro-scaled
   *     blocks, which never are
   */
  public Reading read(TensorInfo info, boolean transposed) {
    if (scales.containsKey(info.name())) {
      return new Reading.NoWeights("holds the scales of " + Names.quoted(scales.get(info.name())));
    }
    for (long length : info.shape()) {
      if (length == 0 || length > Integer.MAX_VALUE) {
        return new Reading.NoWeights(
            "has the shape " + info.shape() + (length == 0 ? ", no elements" : ", beyond what a matrix can have"));
      }
    }
    return switch (info.dtype()) {
      case F64, F32, F16, BF16 ->
          stored(info, transposed ? new WeightLayout.Transposed() : new WeightLayout.Plain());
      case F8_E4M3, F8_E5M2 -> scalesOf(info)
          .map(scale -> tiled(info, scale, transposed))
          .orElseGet(() -> new Reading.NoWeights("has 8-bit floats, but there are no scales of them: neither "
              + Names.quoted(info.name() + TILED_SCALES) + " nor " + Names.quoted(info.name() + OTHER_SCALES)));
      case U8 -> scalesOf(info)
          .map(scale -> microScaled(info, scale))
          .orElseGet(() -> new Reading.NoWeights(info.name().endsWith(BLOCKS)
              ? "has no scales " + Names.quoted(scalesName(info)) + " of U8 beside it"
              : integers(info)));
      case F8_E8M0 -> new Reading.NoWeights("has powers of two (F8_E8M0), which are scales");
      case I64, I32, I16, I8, U64, U32, U16, BOOL -> new Reading.NoWeights(integers(info));
    };
  }

  private static String integers(TensorInfo info) {
    return "has elements of " + info.dtype() + (info.shape().size() > 1 ? ", packed by another quantizer or no weights"
        : ", no weights");
  }

  /** A tensor whose dimensions say how many experts, rows and columns there are. */
  private static Reading stored(TensorInfo info, WeightLayout layout) {
    int dimensions = info.shape().size();
    if (dimensions < 2 || dimensions > 3) {
      return new Reading.NoWeights("has " + dimensions + (dimensions == 1 ? " dimension" : " dimensions")
          + ", a matrix has 2, a stack of them 3");
    }
    return counted(new WeightTensor(info, layout), info);
  }

  /** Rows are counted through all experts in an int. */
  private static Reading counted(WeightTensor weight, TensorInfo info) {
    return (long) weight.experts() * weight.rows() > Integer.MAX_VALUE
        ? new Reading.NoWeights("has the shape " + info.shape() + ", more rows than are counted")
        : new Reading.Weights(weight);
  }

  /** By name and type alone. */
  private Optional<TensorInfo> scalesOf(TensorInfo info) {
    return switch (info.dtype()) {
      case F8_E4M3, F8_E5M2 -> Optional.ofNullable(byName.get(info.name() + TILED_SCALES))
          .or(() -> Optional.ofNullable(byName.get(info.name() + OTHER_SCALES)));
      case U8 -> info.name().endsWith(BLOCKS)
          ? Optional.ofNullable(byName.get(scalesName(info))).filter(scale -> scale.dtype() == Dtype.U8)
          : Optional.empty();
      case F64, F32, F16, BF16, F8_E8M0, I64, I32, I16, I8, U64, U32, U16, BOOL -> Optional.empty();
    };
  }

  private static String scalesName(TensorInfo blocks) {
    return blocks.name().substring(0, blocks.name().length() - BLOCKS.length()) + BLOCK_SCALES;
  }

  private Reading tiled(TensorInfo info, TensorInfo scale, boolean transposed) {
    if (info.shape().size() != 2 || transposed) {
      return new Reading.NoWeights("has 8-bit floats of shape " + info.shape() + (transposed ? " as [in, out]" : "")
          + ", which are read as matrices [out, in] only");
    }
    boolean isFloat = switch (scale.dtype()) {
      case F32, F16, BF16, F8_E8M0 -> true;
      case F64, F8_E4M3, F8_E5M2, I64, I32, I16, I8, U64, U32, U16, U8, BOOL -> false;
    };
    if (!isFloat) {
      return new Reading.NoWeights("has scales " + Names.quoted(scale.name()) + " of " + scale.dtype()
          + "; those of F32, F16, BF16 and F8_E8M0 are read");
    }
    long out = info.shape().get(0);
    long in = info.shape().get(1);
    List<Long> tiles = List.of(Math.ceilDiv(out, tileRows), Math.ceilDiv(in, tileColumns));
    List<Long> found = scale.shape();
    WeightLayout layout;
    if (found.equals(tiles)) {
      layout = new WeightLayout.Tiled(scale, tileRows, tileColumns);
    } else if (found.equals(List.of(out)) || found.equals(List.of(out, 1L))) {
      layout = new WeightLayout.Tiled(scale, 1, (int) in);
    } else if (scale.elements() == 1 && found.size() <= 2) {
      layout = new WeightLayout.Tiled(scale, (int) out, (int) in);
    } else {
      throw mismatch(info, scale, tiles + " (tiles of " + tileRows + " x " + tileColumns + "), [" + out
          + ", 1] or a single number");
    }
    return new Reading.Weights(new WeightTensor(info, layout));
  }

  private static Reading microScaled(TensorInfo info, TensorInfo scale) {
    List<Long> shape = info.shape();
    if (shape.size() != 4 || shape.getLast() != BLOCK_BYTES) {
      throw new CheckpointException(
          place(info) + " with scales " + Names.quoted(scale.name()) + " (" + scale.file() + "): expected the shape "
              + "[experts, out, in / 32, " + BLOCK_BYTES + "], found " + shape,
          REMEDY);
    }
    List<Long> expected = shape.subList(0, 3);
    if (!scale.shape().equals(expected)) {
      throw mismatch(info, scale, expected.toString());
    }
    if (shape.get(2) * WeightLayout.MicroScaled.BLOCK > Integer.MAX_VALUE) {
      return new Reading.NoWeights("has the shape " + shape + ", more columns than a matrix can have");
    }
    return counted(new WeightTensor(info, new WeightLayout.MicroScaled(scale)), info);
  }

  private static CheckpointException mismatch(TensorInfo info, TensorInfo scale, String expected) {
    return new CheckpointException(
        place(scale) + ": the scales of tensor " + Names.quoted(info.name()) + " " + info.shape() + " (" + info.file()
            + "): expected the shape " + expected + ", found " + scale.shape(),
        REMEDY);
  }

  private static String place(TensorInfo info) {
    return info.file() + ": tensor " + Names.quoted(info.name());
  }
}
