package io.cafeq.engine.block;

import io.cafeq.config.Side;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.LayoutKind;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.grid.GridSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What a unit's file says of one of its tensors before any row.
 *
 * @param name the source's name
 * @param dtype the source's element type
 * @param shape the source's shape
 */
public record TensorHeader(String name, Dtype dtype, List<Long> shape, Content content) {
  /** What the file holds of a tensor. */
  public sealed interface Content {
    /** Its bytes. */
    record Kept() implements Content {}

    /**
     * Other bytes of the same type and shape: a bias on which the transform of a pair was carried
     * out.
     */
    record Folded() implements Content {}

    /** Nothing: the scales of a packed tensor, which went into that tensor's weights. */
    record Consumed() implements Content {}

    /**
     * Codes.
     *
     * @param layout of the source; codes are always in the order of [out, in]
     * @param weights shape of the weights, [out, in] or [experts, out, in], where the layout states
     *     it; else empty
     * @param sections ranges of rows in order, which cover all
     */
    record Quantized(LayoutKind layout, List<Long> weights, List<Section> sections)
        implements Content {
      public Quantized {
        weights = List.copyOf(weights);
        sections = List.copyOf(sections);
        if (layout.statesShape() == weights.isEmpty()
            || layout.statesShape() && !layout.accepts(weights.size())
            || weights.stream().anyMatch(length -> length < 1)) {
          throw new IllegalArgumentException(
              "a tensor that is " + layout.text() + " is said to have weights of shape " + weights);
        }
      }

      /** Of a layout by which the stored shape tells that of the weights. */
      public Quantized(LayoutKind layout, List<Section> sections) {
        this(layout, List.of(), sections);
      }
    }
  }

  /** Rows [firstRow, firstRow + rows), counted through all experts, that are coded alike. */
  public record Section(long firstRow, long rows, Coding coding) {
    /** The row after the last. */
    public long end() {
      return firstRow + rows;
    }
  }

  /**
   * @param grid of all its slabs
   * @param transform null where the codes stand for the weights themselves
   * @param columnScales key under which the scales of the input channels are stored; null where
   *     there are none
   * @param coupled whether the weights stand for one factor of a pair, of which only the product is
   *     that of the source
   */
  public record Coding(
      GridSpec grid,
      @Nullable TransformUse transform,
      @Nullable String columnScales,
      boolean coupled) {
    /** Without column scales. */
    public Coding(GridSpec grid, @Nullable TransformUse transform, boolean coupled) {
      this(grid, transform, null, coupled);
    }

    /** Weights that stand for the source's own, without column scales. */
    public Coding(GridSpec grid, @Nullable TransformUse transform) {
      this(grid, transform, false);
    }
  }

  /**
   * @param key under which the transform's blocks are stored: the tensor's own name, or a name that
   *     all tensors that share the transform use
   */
  public record TransformUse(String key, Side side) {}

  public TensorHeader {
    shape = List.copyOf(shape);
    if (content instanceof Content.Quantized quantized) {
      check(name, shape, quantized);
    }
  }

  private static void check(String name, List<Long> shape, Content.Quantized quantized) {
    LayoutKind layout = quantized.layout();
    List<Long> counted = layout.statesShape() ? quantized.weights() : shape;
    if (!layout.accepts(counted.size())) {
      throw new IllegalArgumentException(
          "tensor " + name + " is quantized and " + layout.text() + ", but has the shape " + shape);
    }
    long next = 0;
    for (Section section : quantized.sections()) {
      if (section.firstRow() != next || section.rows() < 0) {
        throw new IllegalArgumentException(
            "tensor "
                + name
                + ": a section should begin at row "
                + next
                + ", found "
                + section.rows()
                + " rows from "
                + section.firstRow()
                + " on");
      }
      next = Math.addExact(next, section.rows());
    }
    long rows = Math.multiplyExact(layout.experts(counted), layout.rows(counted));
    if (next != rows) {
      throw new IllegalArgumentException(
          "tensor " + name + " has sections for " + next + " rows, not " + rows);
    }
  }

  /**
   * [out, in] or [experts, out, in], coded alike throughout; its bytes where {@code coding} is
   * null.
   */
  public TensorHeader(String name, Dtype dtype, List<Long> shape, @Nullable Coding coding) {
    this(
        name,
        dtype,
        shape,
        coding == null ? new Content.Kept() : uniform(name, LayoutKind.PLAIN, shape, coding));
  }

  private static Content.Quantized uniform(
      String name, LayoutKind layout, List<Long> shape, Coding coding) {
    if (!layout.accepts(shape.size())) {
      throw new IllegalArgumentException(
          "a quantized tensor has two or three dimensions, " + name + " has " + shape);
    }
    long rows = Math.multiplyExact(layout.experts(shape), layout.rows(shape));
    return new Content.Quantized(layout, List.of(new Section(0, rows, coding)));
  }

  /** A tensor that keeps its bytes. */
  public static TensorHeader copied(TensorInfo info) {
    return new TensorHeader(info.name(), info.dtype(), info.shape(), new Content.Kept());
  }

  /** A quantized matrix; {@code transform} is null for plain rounding. */
  public static TensorHeader quantized(
      TensorInfo info, GridSpec grid, @Nullable TransformUse transform) {
    return new TensorHeader(info.name(), info.dtype(), info.shape(), new Coding(grid, transform));
  }

  /** A quantized tensor of any layout. */
  public static TensorHeader quantized(WeightTensor tensor, List<Section> sections) {
    TensorInfo info = tensor.info();
    LayoutKind kind = tensor.layout().kind();
    List<Long> weights = kind.statesShape() ? tensor.shape() : List.of();
    return new TensorHeader(
        info.name(), info.dtype(), info.shape(), new Content.Quantized(kind, weights, sections));
  }

  public boolean isQuantized() {
    return content instanceof Content.Quantized;
  }

  /** Whether rows of bytes follow. */
  public boolean isRaw() {
    return switch (content) {
      case Content.Kept kept -> true;
      case Content.Folded folded -> true;
      case Content.Consumed consumed -> false;
      case Content.Quantized quantized -> false;
    };
  }

  /** The sections of a quantized tensor; none of others. */
  public List<Section> sections() {
    return content instanceof Content.Quantized quantized ? quantized.sections() : List.of();
  }

  /** The section of a row, counted through all experts. */
  public Optional<Section> sectionOf(long row) {
    List<Section> sections = sections();
    int low = 0;
    int high = sections.size();
    while (low < high) {
      int middle = (low + high) / 2;
      if (sections.get(middle).end() <= row) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low < sections.size() && row >= sections.get(low).firstRow()
        ? Optional.of(sections.get(low))
        : Optional.empty();
  }

  /**
   * What the weights mean: [out, in] or [experts, out, in]; the stored shape where they are not
   * quantized.
   */
  public List<Long> meaning() {
    if (!isQuantized()) {
      return shape;
    }
    List<Long> matrix = List.of(rows(), (long) columns());
    return firstExpert() < 0 ? matrix : List.of(experts(), rows(), (long) columns());
  }

  /** The tensor as it was before another program quantized it; its place means nothing. */
  public TensorInfo unquantized() {
    List<Long> weights = new ArrayList<>(meaning());
    if (layout().isTransposed()) {
      weights.add(weights.size() - 2, weights.removeLast());
    }
    Dtype floats = layout().isQuantized() ? Dtype.BF16 : dtype;
    long bytes = weights.stream().reduce((long) floats.bytes(), Math::multiplyExact);
    return new TensorInfo(name, floats, weights, "", 0, bytes);
  }

  /** Whether nothing of the tensor is left, since its numbers went into another one's weights. */
  public boolean isConsumed() {
    return content instanceof Content.Consumed;
  }

  /** Number of stored elements. */
  public long elements() {
    return shape.stream().reduce(1L, Math::multiplyExact);
  }

  /** Bytes in the source. */
  public long bytes() {
    return Math.multiplyExact(elements(), (long) dtype.bytes());
  }

  /**
   * What the header says of the source: {@link LayoutKind#PLAIN} also for tensors that are not
   * quantized.
   */
  public LayoutKind layout() {
    return content instanceof Content.Quantized quantized ? quantized.layout() : LayoutKind.PLAIN;
  }

  /** Output channels of the matrix, or of each expert's. */
  public long rows() {
    return layout().rows(counted());
  }

  /**
   * A row of an expert as it is counted through all experts.
   *
   * @param expert -1 for a plain matrix
   */
  public long overall(long expert, long row) {
    return Math.max(0, expert) * rows() + row;
  }

  /** Output channels of all experts together. */
  public long allRows() {
    return Math.multiplyExact(experts(), rows());
  }

  /** Input channels. */
  public int columns() {
    return Math.toIntExact(layout().columns(counted()));
  }

  /** Matrices of a stack of experts; 1 for a plain matrix, whose only expert is called -1. */
  public long experts() {
    return layout().experts(counted());
  }

  /** The number by which the first matrix is called: -1 for a plain matrix, else 0. */
  public int firstExpert() {
    return layout().isStack(counted()) ? 0 : -1;
  }

  /** The shape by which the layout counts matrices, rows and columns. */
  private List<Long> counted() {
    return content instanceof Content.Quantized quantized && quantized.layout().statesShape()
        ? quantized.weights()
        : shape;
  }
}
