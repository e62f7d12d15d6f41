package io.cafeq.engine.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.transform.StoredTransform;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

/** Against a decoder that follows the definitions bit by bit, in double. */
class SlabDecoderTest {
  @Property(tries = 300)
  void plainValuesAreTheDefinedOnes(
      @ForAll ScaleStorage storage,
      @ForAll @IntRange(min = 2, max = 8) int bits,
      @ForAll @IntRange(min = 0, max = 20) int group,
      @ForAll @IntRange(min = 1, max = 9) int groups,
      @ForAll boolean six,
      @ForAll @IntRange(min = -90, max = 90) int exponent,
      @ForAll long seed) {
    GridSpec grid = new GridSpec(bits, group, storage, six ? 6 : 8, false);
    int columns = group == 0 ? 11 * groups : group * groups;
    try (Arena arena = Arena.ofConfined()) {
      EncodedSlab slab =
          UnitFiles.withExponents(
              UnitFiles.slab(arena, new Random(seed), grid, 5, columns),
              (byte) 0,
              (byte) 1,
              (byte) exponent,
              (byte) -7,
              (byte) 0);
      FloatMatrix decoded = FloatMatrix.allocate(arena, 3, columns);
      new SlabDecoder().decode(slab, 2, null, 0, decoded);
      for (int row = 0; row < 3; row++) {
        for (int column = 0; column < columns; column++) {
          assertThat(decoded.get(row, column)).isEqualTo(value(slab, row + 2, column));
        }
      }
    }
  }

  @Property(tries = 300)
  void transformsAreUndone(
      @ForAll Side side,
      @ForAll StoredTransform.Format format,
      @ForAll ScaleStorage storage,
      @ForAll @IntRange(min = 1, max = 40) int k,
      @ForAll @IntRange(min = 1, max = 70) int rows,
      @ForAll @IntRange(min = 1, max = 90) int columns,
      @ForAll long seed) {
    Random random = new Random(seed);
    int block = format == StoredTransform.Format.HADAMARD ? Integer.highestOneBit(k) : k;
    int mixed = side == Side.OUTPUT ? rows : columns;
    if (format == StoredTransform.Format.HADAMARD) {
      mixed = (mixed + block - 1) / block * block; // a Hadamard matrix has a power of two of rows
    }
    int actualRows = side == Side.OUTPUT ? mixed : rows;
    int actualColumns = side == Side.INPUT ? mixed : columns;
    GridSpec grid = new GridSpec(4, 0, storage, 8, false);
    List<StoredTransform> blocks = UnitFiles.transforms(random, side, mixed, block, format);
    try (Arena arena = Arena.ofConfined()) {
      EncodedSlab slab = UnitFiles.slab(arena, random, grid, actualRows, actualColumns);
      FloatMatrix decoded = FloatMatrix.allocate(arena, actualRows, actualColumns);
      new SlabDecoder().decode(slab, 0, SlabDecoder.Blocks.of(blocks), 0, decoded);
      double[][] expected = naive(slab, side, blocks);
      double largest = 0;
      for (double[] line : expected) {
        for (double value : line) {
          largest = Math.max(largest, Math.abs(value));
        }
      }
      for (int row = 0; row < actualRows; row++) {
        for (int column = 0; column < actualColumns; column++) {
          assertThat((double) decoded.get(row, column))
              .isCloseTo(
                  expected[row][column],
                  org.assertj.core.api.Assertions.within(1e-5 * largest + 1e-30));
        }
      }
    }
  }

  @Test
  void piecesOfASlabAreTheSameBitsAsTheWhole() {
    Random random = new Random(3);
    GridSpec grid = new GridSpec(3, 32, ScaleStorage.OFFSET, 8, false);
    List<StoredTransform> rows =
        UnitFiles.transforms(random, Side.OUTPUT, 80, 16, StoredTransform.Format.INT8);
    List<StoredTransform> columns =
        UnitFiles.transforms(random, Side.INPUT, 96, 20, StoredTransform.Format.BF16);
    try (Arena arena = Arena.ofConfined()) {
      EncodedSlab slab = UnitFiles.slab(arena, random, grid, 80, 96);
      for (List<StoredTransform> blocks : List.of(rows, columns)) {
        FloatMatrix whole = FloatMatrix.allocate(arena, 80, 96);
        new SlabDecoder().decode(slab, 0, SlabDecoder.Blocks.of(blocks), 0, whole);
        FloatMatrix piece = FloatMatrix.allocate(arena, 32, 96);
        new SlabDecoder().decode(slab, 48, SlabDecoder.Blocks.of(blocks), 48, piece);
        assertThat(piece.segment().mismatch(whole.slice(48, 32).segment())).isEqualTo(-1);
      }
    }
  }

  @Test
  void rowsThatCutABlockAreRefused() {
    Random random = new Random(3);
    GridSpec grid = new GridSpec(4, 0, ScaleStorage.F16, 8, false);
    List<StoredTransform> blocks =
        UnitFiles.transforms(random, Side.OUTPUT, 16, 8, StoredTransform.Format.INT8);
    try (Arena arena = Arena.ofConfined()) {
      EncodedSlab slab = UnitFiles.slab(arena, random, grid, 16, 8);
      FloatMatrix target = FloatMatrix.allocate(arena, 12, 8);
      assertThatThrownBy(
              () -> new SlabDecoder().decode(slab, 0, SlabDecoder.Blocks.of(blocks), 0, target))
          .hasMessageContaining("block at channel 8");
    }
  }

  static double[][] naive(EncodedSlab slab, Side side, List<StoredTransform> blocks) {
    double[][] result = new double[slab.rows()][slab.columns()];
    for (StoredTransform block : blocks) {
      float[] p = block.inverse();
      int k = block.k();
      int first = block.firstChannel();
      int others = side == Side.OUTPUT ? slab.columns() : slab.rows();
      for (int i = 0; i < k; i++) {
        for (int other = 0; other < others; other++) {
          double sum = 0;
          for (int j = 0; j < k; j++) {
            sum +=
                (double) p[i * k + j]
                    * (side == Side.OUTPUT
                        ? value(slab, first + j, other)
                        : value(slab, other, first + j));
          }
          if (side == Side.OUTPUT) {
            result[first + i][other] = sum;
          } else {
            result[other][first + i] = sum;
          }
        }
      }
    }
    return result;
  }

  /** Bit by bit from the definition in EncodedSlab. */
  static float value(EncodedSlab slab, int row, int column) {
    GridSpec grid = slab.grid();
    int columns = slab.columns();
    int groups = grid.groups(columns);
    int group = column / grid.groupSize(columns);
    float factor = Math.scalb(1f, slab.exponent(row));
    float scale = scale(slab, row, groups, group) * factor;
    int code = bits(slab.codes(), row, columns, column, grid.bits());
    return switch (grid.storage()) {
      case SYMMETRIC -> (code - ((1 << grid.bits()) - 1) / 2f) * scale;
      case SIGNED, K_SIGNED -> (code - (1 << grid.bits() - 1)) * scale;
      case K_MINIMUM -> {
        int block = group / Math.max(1, 256 / grid.groupSize(columns));
        int halves = grid.rowScales(columns);
        float minimum = half(slab.rowScales(), row * halves + halves / 2 + block) * factor;
        yield code * scale - minimum * bits(slab.zeros(), row, groups, group, grid.scaleBits());
      }
      case ZERO_POINT, F16 -> (code - bits(slab.zeros(), row, groups, group, grid.bits())) * scale;
      case OFFSET ->
          (code - bits(slab.zeros(), row, groups, group, 8) / (float) (1 << (8 - grid.bits())))
              * scale;
      case F16_MINIMUM -> code * scale + half(slab.zeros(), row * groups + group) * factor;
    };
  }

  /** Without the exponent of its row, a power of two. */
  private static float scale(EncodedSlab slab, int row, int groups, int group) {
    GridSpec grid = slab.grid();
    if (grid.scalesAreF16()) {
      return half(slab.scales(), row * groups + group);
    }
    int code = bits(slab.scales(), row, groups, group, grid.scaleBits());
    if (!grid.storage().hasSuperBlocks()) {
      return (float) ((double) code * half(slab.rowScales(), row) / ((1 << grid.scaleBits()) - 1));
    }
    int block = group / Math.max(1, 256 / grid.groupSize(slab.columns()));
    float factor = half(slab.rowScales(), row * grid.rowScales(slab.columns()) + block);
    boolean signed = grid.storage() == ScaleStorage.K_SIGNED;
    return factor * (code - (signed ? 1 << grid.scaleBits() - 1 : 0));
  }

  private static float half(MemorySegment halves, int index) {
    return Float.float16ToFloat(halves.get(UnitFiles.SHORT, 2L * index));
  }

  private static int bits(MemorySegment packed, int row, int count, int index, int bits) {
    long rowBits = ((long) count * bits + 7) / 8 * 8;
    int value = 0;
    for (int b = 0; b < bits; b++) {
      long at = row * rowBits + (long) index * bits + b;
      value |= (packed.get(ValueLayout.JAVA_BYTE, at / 8) >> (at % 8) & 1) << b;
    }
    return value;
  }
}
