package io.cafeq.engine.block;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.family.Coupling;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;

/**
 * A bias as a unit's file has it and as its source has it, known to be one row of floats of the
 * same length.
 *
 * @param name of the tensor
 */
record FoldedBias(String name, double[] original, double[] stored) {
  /** Kind RESULT where the checkpoint has no such tensor. */
  static FoldedBias read(UnitFileReader reader, Checkpoint checkpoint, String name) {
    TensorHeader header = reader.header().tensor(name);
    try (Arena arena = Arena.ofConfined();
        SourceTensor source =
            SourceTensor.find(checkpoint, header, new Damage(reader.file()), arena)) {
      MemorySegment before = source.bytes();
      MemorySegment after =
          arena.allocate(Math.max(1, header.bytes()), 64).asSlice(0, header.bytes());
      reader.forEachRaw(
          name,
          raw -> after.asSlice(raw.byteOffset(), raw.bytes().byteSize()).copyFrom(raw.bytes()));
      return new FoldedBias(name, values(header, before), values(header, after));
    }
  }

  /**
   * The first entry that belongs to no head and yet is not the source's; empty where there is none.
   */
  Optional<Integer> changedOutside(List<Coupling> couplings) {
    BitSet heads = new BitSet();
    for (Coupling coupling : couplings) {
      for (Coupling.Head head : coupling.heads()) {
        if (coupling.leftBias().filter(name::equals).isPresent()) {
          heads.set(head.left(), head.left() + head.size());
        }
        if (coupling.rightBias().filter(name::equals).isPresent()) {
          head.right().forEach(first -> heads.set(first, first + head.size()));
        }
      }
    }
    for (int i = 0; i < original.length; i++) {
      if (!heads.get(i) && Double.compare(original[i], stored[i]) != 0) {
        return Optional.of(i);
      }
    }
    return Optional.empty();
  }

  private static double[] values(TensorHeader header, MemorySegment bytes) {
    double[] values = new double[Math.toIntExact(header.elements())];
    ByteOrder order = ByteOrder.LITTLE_ENDIAN;
    for (int i = 0; i < values.length; i++) {
      values[i] =
          switch (header.dtype()) {
            case F64 -> bytes.get(ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(order), 8L * i);
            case F32 -> bytes.get(ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(order), 4L * i);
            case F16 ->
                Float.float16ToFloat(
                    bytes.get(ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(order), 2L * i));
            case BF16 ->
                Float.intBitsToFloat(
                    bytes.get(ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(order), 2L * i) << 16);
            case F8_E4M3, F8_E5M2, F8_E8M0, I64, I32, I16, I8, U64, U32, U16, U8, BOOL ->
                Double.NaN;
          };
    }
    return values;
  }
}
