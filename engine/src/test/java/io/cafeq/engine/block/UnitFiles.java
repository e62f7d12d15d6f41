package io.cafeq.engine.block;

import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.LayoutKind;
import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.Packing;
import io.cafeq.engine.receipt.ErrorFigures;
import io.cafeq.engine.receipt.JobIdentity;
import io.cafeq.engine.receipt.PairFigures;
import io.cafeq.engine.receipt.UnitFigures;
import io.cafeq.engine.transform.StoredTransform;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;

/** Seeded slabs, transforms and whole unit files. */
final class UnitFiles {
  static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final JobIdentity IDENTITY = new JobIdentity("5f".repeat(32), 1);

  static final GridSpec GRID = new GridSpec(4, 8, ScaleStorage.ZERO_POINT, 8, true);
  static final GridSpec PLAIN = new GridSpec(3, 0, ScaleStorage.F16_MINIMUM, 8, false);
  static final GridSpec HEADS = new GridSpec(4, 4, ScaleStorage.SYMMETRIC, 8, true);

  /** Of the stored file of version 1.0. */
  static final UnitFigures FIRST_FIGURES =
      new UnitFigures(
          388,
          12.5,
          new ErrorFigures(0.25, 2000),
          null,
          new ErrorFigures(0.5, 1900),
          null,
          false,
          "input k=16 group 8 zero-point");

  static final UnitFigures FIGURES =
      new UnitFigures(
          892,
          12.5,
          new ErrorFigures(0.25, 2000),
          null,
          new ErrorFigures(0.5, 1900),
          null,
          false,
          List.of(
              new PairFigures(
                  "v.weight", "o.weight", 384, 7.5, 0.0625, 0.125, 0.09375, null, 0.1, 0.07)),
          "pair learned h=4, input k=16 group 8 zero-point");

  private UnitFiles() {}

  static EncodedSlab slab(Arena arena, Random random, GridSpec grid, int rows, int columns) {
    int groups = grid.groups(columns);
    boolean minimum = grid.storage() == ScaleStorage.F16_MINIMUM;
    return new EncodedSlab(
        grid,
        rows,
        columns,
        packed(arena, random, rows, columns, grid.bits()),
        grid.rowScales(columns) == 0
            ? MemorySegment.NULL
            : halves(arena, random, rows * grid.rowScales(columns)),
        grid.scalesAreF16()
            ? halves(arena, random, rows * groups)
            : packed(arena, random, rows, groups, grid.scaleBits()),
        switch (grid.zeroBits()) {
          case 0 -> MemorySegment.NULL;
          case 16 -> halves(arena, random, minimum ? rows * groups : 0);
          default -> packed(arena, random, rows, groups, grid.zeroBits());
        },
        random.nextDouble(),
        1 + random.nextDouble());
  }

  /** The same slab with one exponent for each row; none where there are none. */
  static EncodedSlab withExponents(EncodedSlab slab, byte... exponents) {
    return new EncodedSlab(
        slab.grid(),
        slab.rows(),
        slab.columns(),
        slab.codes(),
        slab.rowScales(),
        slab.scales(),
        slab.zeros(),
        exponents.length == 0 ? MemorySegment.NULL : MemorySegment.ofArray(exponents),
        slab.squaredError(),
        slab.squaredNorm(),
        slab.outputError(),
        slab.outputNorm());
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

  static StoredTransform transform(
      Random random, Side side, int first, int k, StoredTransform.Format format) {
    byte[] data =
        new byte
            [switch (format) {
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
  static List<StoredTransform> transforms(
      Random random, Side side, int channels, int k, StoredTransform.Format format) {
    List<StoredTransform> blocks = new ArrayList<>();
    for (int first = 0; first < channels; first += k) {
      blocks.add(transform(random, side, first, Math.min(k, channels - first), format));
    }
    return blocks;
  }

  /**
   * What the stored file of version 1.0 holds: two tensors with one transform, a plain tensor and a
   * copied one.
   */
  static UnitHeader firstHeader() {
    TensorHeader.TransformUse shared = new TensorHeader.TransformUse("layer.q+k", Side.INPUT);
    return new UnitHeader(
        "sample",
        IDENTITY,
        "scalar/java",
        List.of(
            new TensorHeader(
                "q.weight", Dtype.BF16, List.of(10L, 24L), new TensorHeader.Coding(GRID, shared)),
            new TensorHeader(
                "k.weight", Dtype.BF16, List.of(5L, 24L), new TensorHeader.Coding(GRID, shared)),
            new TensorHeader(
                "plain.weight", Dtype.F32, List.of(4L, 7L), new TensorHeader.Coding(PLAIN, null)),
            new TensorHeader(
                "norm.weight", Dtype.BF16, List.of(24L), new TensorHeader.Content.Kept())));
  }

  /**
   * Something of everything: a pair with a folded bias, experts that are stored the other way round
   * and coded apart (two input-side transforms and an output-side one), a tensor with scales
   * elsewhere, and one that is copied.
   */
  static UnitHeader sampleHeader() {
    TensorHeader.Coding values = new TensorHeader.Coding(HEADS, null, true);
    TensorHeader.Coding first =
        new TensorHeader.Coding(GRID, new TensorHeader.TransformUse("sample#1", Side.INPUT));
    TensorHeader.Coding second =
        new TensorHeader.Coding(GRID, new TensorHeader.TransformUse("sample#2", Side.INPUT));
    TensorHeader.Coding mixed =
        new TensorHeader.Coding(GRID, new TensorHeader.TransformUse("experts", Side.OUTPUT));
    TensorHeader.Coding plain = new TensorHeader.Coding(PLAIN, null);
    Coupling coupling =
        new Coupling(
            Coupling.Kind.VALUE_OUTPUT,
            "v.weight",
            Optional.of("v.bias"),
            "o.weight",
            Optional.empty(),
            List.of(
                new Coupling.Head(4, 2, List.of(0, 4)), new Coupling.Head(4, 6, List.of(8, 12))));
    return new UnitHeader(
        "sample",
        IDENTITY,
        "scalar/java",
        List.of(
            new TensorHeader(
                "v.weight",
                Dtype.BF16,
                List.of(10L, 24L),
                new TensorHeader.Content.Quantized(
                    LayoutKind.PLAIN,
                    List.of(
                        new TensorHeader.Section(0, 2, plain),
                        new TensorHeader.Section(2, 8, values)))),
            new TensorHeader("o.weight", Dtype.BF16, List.of(12L, 16L), values),
            new TensorHeader("v.bias", Dtype.F32, List.of(10L), new TensorHeader.Content.Folded()),
            new TensorHeader(
                "experts",
                Dtype.F16,
                List.of(3L, 24L, 6L),
                new TensorHeader.Content.Quantized(
                    LayoutKind.TRANSPOSED,
                    List.of(
                        new TensorHeader.Section(0, 6, first),
                            new TensorHeader.Section(6, 2, second),
                        new TensorHeader.Section(8, 4, plain),
                            new TensorHeader.Section(12, 6, mixed)))),
            new TensorHeader(
                "codes",
                Dtype.F8_E4M3,
                List.of(4L, 7L),
                new TensorHeader.Content.Quantized(
                    LayoutKind.TILED, List.of(new TensorHeader.Section(0, 4, plain)))),
            new TensorHeader(
                "codes_scale_inv", Dtype.F32, List.of(1L, 1L), new TensorHeader.Content.Consumed()),
            new TensorHeader(
                "norm.weight", Dtype.BF16, List.of(24L), new TensorHeader.Content.Kept())),
        List.of(coupling));
  }

  /** What the rows of {@link #writeSample} are, in order. */
  static final List<String> SAMPLE_ROWS =
      List.of(
          "sample#1@0",
          "sample#1@16",
          "sample#2@0",
          "sample#2@16",
          "experts@12",
          "experts@16",
          "v.weight@0+2",
          "v.weight@2+4",
          "v.weight@6+4",
          "o.weight@0+12",
          "experts.0@0+6",
          "experts.1@0+2",
          "experts.1@2+4",
          "experts.2@0+6",
          "codes@0+4",
          "v.bias@0+40",
          "norm.weight@0+30",
          "norm.weight@30+18");

  static void writeSample(Path file) {
    Random random = new Random(7);
    UnitHeader header = sampleHeader();
    TreeMap<String, String> hashes = new TreeMap<>();
    header.tensors().forEach(tensor -> hashes.put(tensor.name(), "ab".repeat(32)));
    try (Arena arena = Arena.ofConfined();
        UnitFileWriter writer = UnitFileWriter.open(file, header)) {
      for (String key : List.of("sample#1", "sample#2")) {
        transforms(random, Side.INPUT, 24, 16, StoredTransform.Format.INT8)
            .forEach(block -> writer.writeTransform(key, block));
      }
      writer.writeTransform(
          "experts", transform(random, Side.OUTPUT, 12, 4, StoredTransform.Format.BF16));
      writer.writeTransform(
          "experts", transform(random, Side.OUTPUT, 16, 2, StoredTransform.Format.BF16));
      writer.writeSlab("v.weight", -1, 0, slab(arena, random, PLAIN, 2, 24));
      writer.writeSlab("v.weight", -1, 2, coupled(slab(arena, random, HEADS, 4, 24)));
      writer.writeSlab("v.weight", -1, 6, coupled(slab(arena, random, HEADS, 4, 24)));
      writer.writeSlab("o.weight", -1, 0, coupled(slab(arena, random, HEADS, 12, 16)));
      writer.writeSlab("experts", 0, 0, slab(arena, random, GRID, 6, 24));
      writer.writeSlab("experts", 1, 0, slab(arena, random, GRID, 2, 24));
      writer.writeSlab("experts", 1, 2, slab(arena, random, PLAIN, 4, 24));
      writer.writeSlab("experts", 2, 0, slab(arena, random, GRID, 6, 24));
      writer.writeSlab("codes", -1, 0, slab(arena, random, PLAIN, 4, 7));
      writer.writeRaw("v.bias", 0, packed(arena, random, 1, 40, 8));
      writer.writeRaw("norm.weight", 0, packed(arena, random, 1, 30, 8));
      writer.writeRaw("norm.weight", 30, packed(arena, random, 1, 18, 8));
      writer.finish(hashes, FIGURES);
    }
  }

  /** Rows of a pair have no figures of their own. */
  static EncodedSlab coupled(EncodedSlab slab) {
    return new EncodedSlab(
        slab.grid(),
        slab.rows(),
        slab.columns(),
        slab.codes(),
        slab.rowScales(),
        slab.scales(),
        slab.zeros(),
        0,
        0);
  }
}
