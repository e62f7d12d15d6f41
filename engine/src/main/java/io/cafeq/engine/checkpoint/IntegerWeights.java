package io.cafeq.engine.checkpoint;

import io.cafeq.engine.checkpoint.WeightLayout.CodeKind;
import io.cafeq.engine.checkpoint.WeightLayout.Codes;
import io.cafeq.engine.checkpoint.WeightLayout.Quantized;
import io.cafeq.engine.checkpoint.WeightLayout.Scales;
import io.cafeq.engine.checkpoint.WeightLayout.Tiles;
import io.cafeq.engine.checkpoint.WeightLayout.ZeroPoints;
import io.cafeq.engine.checkpoint.WeightTensors.Reading;
import io.cafeq.engine.text.VisibleText;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * Integers with {@code weight_scale} and possibly {@code weight_zero_point}, as compressed-tensors
 * stores them: I8 [out, in], or I32 with integers of 1 to 8 bits packed along the input channels,
 * whose shape is in {@code weight_shape}.
 *
 * @param extents reads the shape that a tensor holds, where there is data to read
 */
record IntegerWeights(
    Companions companions,
    QuantizationConfig config,
    Function<TensorInfo, Optional<List<Long>>> extents)
    implements QuantizedWeights {
  private static final int MOST_BITS = 8;

  @Override
  public List<TensorInfo> companions(TensorInfo info) {
    boolean isPacked = info.dtype() == Dtype.I32;
    Optional<TensorInfo> scale =
        companions.find(info, "scale").filter(each -> each.dtype().isWeight());
    Optional<TensorInfo> shape = companions.find(info, "shape");
    if (!isPacked && info.dtype() != Dtype.I8 || scale.isEmpty() || isPacked && shape.isEmpty()) {
      return List.of();
    }
    List<TensorInfo> found = new ArrayList<>(List.of(scale.get()));
    zeroPoints(info).ifPresent(found::add);
    groupIndex(info).ifPresent(found::add);
    if (isPacked) {
      found.add(shape.get());
    }
    return found;
  }

  private Optional<TensorInfo> zeroPoints(TensorInfo info) {
    return companions.find(info, "zero_point");
  }

  private Optional<TensorInfo> groupIndex(TensorInfo info) {
    return companions.find(info, "g_idx");
  }

  @Override
  public Reading read(TensorInfo info, boolean transposed) {
    List<Long> shape = info.shape();
    if (shape.size() < 2 || shape.size() > 3) {
      return new Reading.NoWeights(
          "has integers of shape " + shape + "; a matrix has 2 dimensions, a stack of them 3");
    }
    return QuantizedWeights.scaledInputs(companions, info)
        .orElseGet(() -> info.dtype() == Dtype.I32 ? packed(info) : whole(info, transposed));
  }

  private Reading whole(TensorInfo info, boolean transposed) {
    return layout(
        info,
        matrix(info.shape(), info.shape().getLast(), transposed),
        new Codes(CodeKind.INT8, Byte.SIZE));
  }

  private static TileFinder.Stored matrix(List<Long> shape, long columns, boolean transposed) {
    return new TileFinder.Stored(
        shape.size() > 2 ? shape.getFirst() : 0,
        shape.get(shape.size() - 2),
        columns,
        transposed,
        1);
  }

  private Reading packed(TensorInfo info) {
    TensorInfo extent = companions.find(info, "shape").orElseThrow();
    List<Long> rows = info.shape().subList(0, info.shape().size() - 1);
    Optional<List<Long>> held = extents.apply(extent);
    if (held.filter(
            shape ->
                shape.size() != rows.size() + 1
                    || !shape.subList(0, rows.size()).equals(rows)
                    || shape.getLast() < 1
                    || shape.getLast() > Integer.MAX_VALUE)
        .isPresent()) {
      return new Reading.NoWeights(
          "has the shape "
              + info.shape()
              + ", but "
              + VisibleText.quoted(extent.name())
              + " says "
              + held.get());
    }
    Optional<Long> columns = held.map(List::getLast).or(() -> columns(info));
    if (columns.isEmpty()) {
      return new Reading.NoWeights(
          "has integers packed into 32-bit words, but neither config.json nor shapes tell how"
              + " many");
    }
    List<Codes> fitting = codes(info.shape().getLast(), columns.get());
    if (fitting.size() != 1) {
      return new Reading.NoWeights(
          "has "
              + info.shape().getLast()
              + " words for "
              + columns.get()
              + " input channels, which "
              + (fitting.isEmpty() ? "no number of bits fits" : "several numbers of bits fit"));
    }
    return layout(info, matrix(info.shape(), columns.get(), false), fitting.getFirst());
  }

  /** Where there is no data to read: groups times their size, or as many as the words hold. */
  private Optional<Long> columns(TensorInfo info) {
    TensorInfo scale = companions.find(info, "scale").orElseThrow();
    long groups = scale.shape().isEmpty() ? 1 : scale.shape().getLast();
    if (groups > 1 && config.groups().size() == 1) {
      return Optional.of(groups * config.groups().getFirst());
    }
    return config.bits().size() == 1
        ? Optional.of(info.shape().getLast() * Integer.SIZE / config.bits().getFirst())
        : Optional.empty();
  }

  /**
   * A stream without gaps first; older files hold whole integers in words. Where several numbers of
   * bits fit, those that config.json names.
   */
  private List<Codes> codes(long words, long columns) {
    for (CodeKind kind : List.of(CodeKind.PACKED, CodeKind.PACKED_BY_WORD)) {
      List<Codes> fitting = new ArrayList<>();
      for (int bits = 1; bits <= MOST_BITS; bits++) {
        Codes codes = new Codes(kind, bits);
        if (codes.words(columns) == words) {
          fitting.add(codes);
        }
      }
      List<Codes> named =
          fitting.stream().filter(codes -> config.bits().contains(codes.bits())).toList();
      if (!named.isEmpty() || fitting.size() == 1) {
        return named.isEmpty() ? fitting : named;
      }
      if (!fitting.isEmpty() && kind == CodeKind.PACKED_BY_WORD) {
        return fitting;
      }
    }
    return List.of();
  }

  private Reading layout(TensorInfo info, TileFinder.Stored matrix, Codes codes) {
    TensorInfo scale = companions.find(info, "scale").orElseThrow();
    Optional<Tiles> tiles = config.tiles().find(matrix, scale.shape());
    if (tiles.isEmpty()) {
      return QuantizedWeights.mismatch(
          info, scale, "one for all, for each output channel, or for each group of input channels");
    }
    Optional<TensorInfo> zero = zeroPoints(info);
    Optional<Boolean> packing =
        zero.flatMap(points -> packing(points, scale, codes, matrix, tiles.get()));
    if (zero.isPresent() && packing.isEmpty()) {
      return QuantizedWeights.mismatch(info, zero.get(), "zero points, one for each of its scales");
    }
    Optional<TensorInfo> index = groupIndex(info);
    if (index
        .filter(
            each ->
                each.dtype() != Dtype.I32
                    || each.elements() != matrix.in()
                    || Math.ceilDiv(matrix.in(), tiles.get().columns()) > ScaleBand.MOST)
        .isPresent()) {
      return QuantizedWeights.mismatch(
          info, index.get(), "the group of each input channel, of I32");
    }
    Scales scales = new Scales(scale, scale.dtype(), tiles.get(), Optional.empty(), index);
    return QuantizedWeights.counted(
        new WeightTensor(
            info,
            new Quantized(
                QuantizedWeights.kind(matrix.isTransposed()),
                QuantizedWeights.shape(matrix),
                codes,
                scales,
                zero.map(points -> new ZeroPoints(points, packing.orElseThrow())),
                info.dtype() == Dtype.I32 ? companions.find(info, "shape") : Optional.empty())));
  }

  /** Whether zero points are packed; empty where they do not go with the scales. */
  private static Optional<Boolean> packing(
      TensorInfo points, TensorInfo scale, Codes codes, TileFinder.Stored matrix, Tiles tiles) {
    if (points.dtype() == Dtype.I8 || points.dtype().isWeight()) {
      return points.shape().equals(scale.shape()) ? Optional.of(false) : Optional.empty();
    }
    List<Long> expected =
        new ArrayList<>(
            List.of(
                codes.words(matrix.rows()),
                (long) Math.ceilDiv(matrix.columns(), (long) tiles.columns())));
    if (matrix.experts() > 0) {
      expected.addFirst(matrix.experts());
    }
    boolean isPacked =
        points.dtype() == Dtype.I32 && codes.kind() != CodeKind.INT8 && tiles.rows() == 1;
    return isPacked && points.shape().equals(expected) ? Optional.of(true) : Optional.empty();
  }
}
