package io.cafeq.engine.block;

import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.Packing;
import io.cafeq.engine.receipt.ErrorFigures;
import io.cafeq.engine.receipt.JobIdentity;
import io.cafeq.engine.receipt.UnitFigures;
import io.cafeq.engine.transform.StoredTransform;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;

/** Seeded slabs, transforms and whole unit files. */
final class UnitFiles {
  static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final JobIdentity IDENTITY = new JobIdentity("5f".repeat(32), 1);

  static final GridSpec GRID = new GridSpec(4, 8, ScaleStorage.ZERO_POINT, 8, true);
  static final GridSpec PLAIN = new GridSpec(3, 0, ScaleStorage.F16_MINIMUM, 8, false);
  static final UnitFigures FIGURES = new UnitFigures(388, 12.5, new ErrorFigures(0.25, 2000), null,
      new ErrorFigures(0.5, 1900), null, false, "input k=16 group 8 zero-point");

  private UnitFiles() {}

  static EncodedSlab slab(Arena arena, Random random, GridSpec grid, int rows, int columns) {
    int groups = grid.groups(columns);
    boolean minimum = grid.storage() == ScaleStorage.F16_MINIMUM;
    return new EncodedSlab(
        grid,
        rows,
        columns,
        packed(arena, random, rows, columns, grid.bits()),
        grid.scalesAreF16() ? MemorySegment.NULL : halves(arena, random, rows),
        grid.scalesAreF16() ? halves(arena, random, rows * groups)
            : packed(arena, random, rows, groups, grid.scaleBits()),
        switch (grid.zeroBits()) {
          case 0 -> MemorySegment.NULL;
          case 16 -> halves(arena, random, minimum ? rows * groups : 0);
          default -> packed(arena, random, rows, groups, grid.zeroBits());
        },
        random.nextDouble(),
        1 + random.nextDouble());
  }

  static MemorySegment packed(Arena arena, Random random, int rows, int count, int bits) {
    long rowBytes = Packing.bytes(count, bits);
    MemorySegment all = arena.allocate(Math.max(1, rows * rowBytes)).asSlice(0, rows * rowBytes);
    byte[] codes = new byte[count];
    for (int row = 0; row < rows; row++) {
      for (int i = 0; i < count; i++) {
        codes[i] = (byte) random.nextInt(1 << bits);
      }
      Packing.pack(codes, 0, count, bits, all, row * rowBytes);
    }
    return all;
  }

  static MemorySegment halves(Arena arena, Random random, int count) {
    MemorySegment all = arena.allocate(Math.max(1, 2L * count)).asSlice(0, 2L * count);
    for (int i = 0; i < count; i++) {
      all.set(SHORT, 2L * i, Float.floatToFloat16((float) random.nextGaussian() * 0.05f));
    }
    return all;
  }

  static StoredTransform transform(Random random, Side side, int first, int k, StoredTransform.Format format) {
    byte[] data = new byte[switch (format) {
      case INT8 -> k * k;
      case BF16 -> 2 * k * k;
      case HADAMARD -> (k + 7) / 8;
    }];
    short[] scales = new short[format == StoredTransform.Format.INT8 ? k : 0];
    if (format == StoredTransform.Format.BF16) {
      for (int i = 0; i < k * k; i++) {
        int bits = Float.floatToIntBits((float) random.nextGaussian()) >>> 16;
        data[2 * i] = (byte) bits;
        data[2 * i + 1] = (byte) (bits >>> 8);
      }
    } else {
      random.nextBytes(data);
    }
    for (int i = 0; i < scales.length; i++) {
      scales[i] = Float.floatToFloat16(0.001f + random.nextFloat() * 0.01f);
    }
    return new StoredTransform(side, first, k, format, data, scales);
  }

  /** Blocks of k channels and a smaller one at the end where they do not divide. */
  static List<StoredTransform> transforms(Random random, Side side, int channels, int k,
      StoredTransform.Format format) {
    List<StoredTransform> blocks = new ArrayList<>();
    for (int first = 0; first < channels; first += k) {
      blocks.add(transform(random, side, first, Math.min(k, channels - first), format));
    }
    return blocks;
  }

  /** Two tensors that share an input-side transform, one plain tensor and one that is copied. */
  static UnitHeader sampleHeader() {
    TensorHeader.TransformUse shared = new TensorHeader.TransformUse("layer.q+k", Side.INPUT);
    return new UnitHeader("sample", IDENTITY, "scalar/java", List.of(
        new TensorHeader("q.weight", Dtype.BF16, List.of(10L, 24L), new TensorHeader.Coding(GRID, shared)),
        new TensorHeader("k.weight", Dtype.BF16, List.of(5L, 24L), new TensorHeader.Coding(GRID, shared)),
        new TensorHeader("plain.weight", Dtype.F32, List.of(4L, 7L), new TensorHeader.Coding(PLAIN, null)),
        new TensorHeader("norm.weight", Dtype.BF16, List.of(24L), new TensorHeader.Content.Kept())));
  }

  static void writeSample(Path file) {
    Random random = new Random(7);
    UnitHeader header = sampleHeader();
    TreeMap<String, String> hashes = new TreeMap<>();
    header.tensors().forEach(tensor -> hashes.put(tensor.name(), "ab".repeat(32)));
    try (Arena arena = Arena.ofConfined();
        UnitFileWriter writer = UnitFileWriter.open(file, header)) {
      transforms(random, Side.INPUT, 24, 16, StoredTransform.Format.INT8)
          .forEach(block -> writer.writeTransform("layer.q+k", block));
      writer.writeSlab("q.weight", -1, 0, slab(arena, random, GRID, 6, 24));
      writer.writeSlab("q.weight", -1, 6, slab(arena, random, GRID, 4, 24));
      writer.writeSlab("k.weight", -1, 0, slab(arena, random, GRID, 5, 24));
      writer.writeSlab("plain.weight", -1, 0, slab(arena, random, PLAIN, 4, 7));
      writer.writeRaw("norm.weight", 0, packed(arena, random, 1, 30, 8));
      writer.writeRaw("norm.weight", 30, packed(arena, random, 1, 18, 8));
      writer.finish(hashes, FIGURES);
    }
  }
}
