package io.cafeq.engine.block;

import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.arrow.vector.types.FloatingPointPrecision;
import org.apache.arrow.vector.types.pojo.ArrowType;
import org.apache.arrow.vector.types.pojo.DictionaryEncoding;
import org.apache.arrow.vector.types.pojo.Field;
import org.apache.arrow.vector.types.pojo.FieldType;

/**
 * The columns of every unit's file, in the schema's order; docs/format.md describes them. A later
 * minor version may only append columns. Those of fixed width come first, so that an index can be
 * made without reading payloads.
 */
enum Column {
  KIND(Form.INT8, "0 transform, 1 slab, 2 raw"),
  TENSOR(Form.NAME, "the tensor, or the key of a transform that several tensors share"),
  EXPERT(Form.INT32, "slab: matrix of a stack, -1 where there is only one"),
  FIRST_ROW(Form.INT64, "slab: first output channel"),
  ROWS(Form.INT64, "slab: output channels"),
  COLUMNS(Form.INT64, "slab: input channels"),
  BYTE_OFFSET(Form.INT64, "raw: where in the tensor these bytes begin"),
  SIDE(Form.INT8, "transform: 0 output (rows are mixed), 1 input (columns)"),
  FIRST_CHANNEL(Form.INT32, "transform: first channel of the block"),
  K(Form.INT32, "transform: channels of the block"),
  FORMAT(Form.INT8, "transform: 0 int8 with a scale a column, 1 bfloat16, 2 Hadamard with signs"),
  SQUARED_ERROR(Form.FLOAT64, "slab: sum of (effective - original)^2"),
  SQUARED_NORM(Form.FLOAT64, "slab: sum of original^2"),
  CRC32C(Form.UINT32, "of the row, see docs/format.md"),
  ROW_SCALES(Form.HALVES, "slab, compact scales: one a row"),
  SCALES_F16(Form.HALVES, "slab, f16 scales: one a group, row by row"),
  SCALES_PACKED(
      Form.BINARY,
      "slab, compact scales: codes of scale_bits bits, each row padded to whole bytes"),
  ZEROS_PACKED(
      Form.BINARY, "slab: zero points of bits bits (offset: 8), each row padded to whole bytes"),
  MINIMUMS_F16(Form.HALVES, "slab, f16-minimum: one a group, row by row"),
  CODES(
      Form.BINARY,
      "slab: codes of bits bits, least significant first, each row padded to whole bytes"),
  RAW(
      Form.BINARY,
      "raw: little-endian elements of the tensor's dtype; BF16 is the upper half of a float32"),
  TRANSFORM_DATA(
      Form.BINARY,
      "transform: P row-major as int8 or bfloat16 (the upper half of a float32), or k sign bits"),
  TRANSFORM_SCALES(Form.HALVES, "transform: int8: one a column, else empty");

  /**
   * How values are stored in Arrow buffers; {@code width} is that of a fixed-width value, else 0.
   */
  enum Form {
    INT8(1),
    INT32(4),
    INT64(8),
    UINT32(4),
    FLOAT64(8),
    NAME(4),
    BINARY(0),
    HALVES(0);

    final int width;

    Form(int width) {
      this.width = width;
    }
  }

  /**
   * Kinds of rows by their value in {@link #KIND}, with the columns of fixed width that they fill.
   */
  enum Kind {
    TRANSFORM(KIND, TENSOR, SIDE, FIRST_CHANNEL, K, FORMAT, CRC32C),
    SLAB(KIND, TENSOR, EXPERT, FIRST_ROW, ROWS, COLUMNS, SQUARED_ERROR, SQUARED_NORM, CRC32C),
    RAW(KIND, TENSOR, BYTE_OFFSET, CRC32C),
    /**
     * The exponents of a slab's rows, one signed byte each in {@link Column#RAW}; slabs of ordinary
     * rows have none.
     */
    EXPONENTS(KIND, TENSOR, EXPERT, FIRST_ROW, ROWS, CRC32C),
    /** The column scales of some rows, one signed byte for each input channel in {@link #RAW}. */
    COLUMN_SCALES(KIND, TENSOR, COLUMNS, CRC32C);

    private final Set<Column> columns;

    Kind(Column first, Column... others) {
      this.columns = EnumSet.of(first, others);
    }

    boolean fills(Column column) {
      return columns.contains(column);
    }
  }

  static final long NAMES_DICTIONARY = 0;
  private static final List<Column> ALL = List.of(values());

  final Form form;
  private final String meaning;

  Column(Form form, String meaning) {
    this.form = form;
    this.meaning = meaning;
  }

  /** In the schema's order. */
  static List<Column> all() {
    return ALL;
  }

  boolean isFixed() {
    return form.width > 0;
  }

  /**
   * Buffers in a record batch: validity, then offsets and the child's validity where there are any,
   * then values.
   */
  int buffers() {
    return switch (form) {
      case INT8, INT32, INT64, UINT32, FLOAT64, NAME -> 2;
      case BINARY -> 3;
      case HALVES -> 4;
    };
  }

  /** Field nodes in a record batch. */
  int nodes() {
    return form == Form.HALVES ? 2 : 1;
  }

  String text() {
    return name().toLowerCase(java.util.Locale.ROOT);
  }

  /**
   * The field as it is in the file's schema. One metadata entry each: Arrow keeps them in a hash
   * map.
   */
  Field field() {
    boolean nullable = this != KIND && this != TENSOR && this != CRC32C;
    ArrowType half = new ArrowType.FloatingPoint(FloatingPointPrecision.HALF);
    ArrowType type =
        switch (form) {
          case INT8 -> new ArrowType.Int(8, true);
          case INT32 -> new ArrowType.Int(32, true);
          case INT64 -> new ArrowType.Int(64, true);
          case UINT32 -> new ArrowType.Int(32, false);
          case FLOAT64 -> new ArrowType.FloatingPoint(FloatingPointPrecision.DOUBLE);
          case NAME -> new ArrowType.Utf8();
          case BINARY -> new ArrowType.LargeBinary();
          case HALVES -> new ArrowType.List();
        };
    DictionaryEncoding encoding =
        form == Form.NAME
            ? new DictionaryEncoding(NAMES_DICTIONARY, false, new ArrowType.Int(32, true))
            : null;
    List<Field> children =
        form == Form.HALVES
            ? List.of(new Field("item", new FieldType(false, half, null), List.of()))
            : List.of();
    return new Field(
        text(),
        new FieldType(nullable, type, encoding, Map.of("cafeq.meaning", meaning)),
        children);
  }
}
