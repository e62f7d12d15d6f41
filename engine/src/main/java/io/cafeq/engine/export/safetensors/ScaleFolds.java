package io.cafeq.engine.export.safetensors;

import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.family.FoldedNorms;
import io.cafeq.engine.family.ModelFamily;
import io.cafeq.engine.transform.ColumnScales;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Column scales that become part of the norm before the matrices: codes stand for W diag(s), so the
 * norm's weights g become g / s, rounded to their type. That is the only rounding of an export, at
 * most 2^-9 of an input channel in bf16.
 *
 * @param norms by name
 * @param left tensors with column scales that no norm takes over
 */
record ScaleFolds(Map<String, Fold> norms, Set<String> left) {
  private static final ValueLayout.OfShort SHORTS =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INTS =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** Scales of all that reads a norm. */
  record Fold(ColumnScales scales, boolean storedMinusOne) {}

  ScaleFolds {
    norms = Map.copyOf(norms);
    left = Set.copyOf(left);
  }

  static ScaleFolds of(ResultReader result, ModelFamily family, Map<String, TensorHeader> headers) {
    Set<String> left = new HashSet<>();
    headers.forEach(
        (name, header) -> {
          if (key(header) != null) {
            left.add(name);
          }
        });
    Map<String, Fold> folds = new HashMap<>();
    if (!left.isEmpty()) {
      Set<FoldedNorms.Norm> norms =
          Set.copyOf(FoldedNorms.of(family, headers.keySet()).byReader().values());
      for (FoldedNorms.Norm norm : norms) {
        String reader = norm.readers().iterator().next();
        String key = key(Objects.requireNonNull(headers.get(reader)));
        boolean alike =
            key != null
                && norm.readers().stream()
                    .allMatch(each -> key.equals(key(Objects.requireNonNull(headers.get(each)))));
        if (alike) {
          ColumnScales scales = result.columnScales(reader, 0).orElseThrow();
          folds.put(norm.name(), new Fold(scales, norm.storedMinusOne()));
          left.removeAll(norm.readers());
        }
      }
    }
    return new ScaleFolds(folds, left);
  }

  /** Under which key the scales of all rows are stored; null where there are none. */
  private static @Nullable String key(TensorHeader header) {
    return header.sections().stream()
        .map(section -> section.coding().columnScales())
        .filter(Objects::nonNull)
        .findFirst()
        .orElse(null);
  }

  boolean isLeft(TensorHeader header) {
    return left.contains(header.name());
  }

  /** What is written in place of a norm; empty for all other tensors. */
  Optional<PackedPart> part(TensorHeader header) {
    Fold fold = norms.get(header.name());
    if (fold == null) {
      return Optional.empty();
    }
    Entry entry = new Entry(header.name(), header.dtype(), header.shape());
    return Optional.of(
        new PackedPart(
            entry,
            (result, source, stop, bytes) -> {
              try (Arena arena = Arena.ofConfined()) {
                MemorySegment values = arena.allocate(entry.bytes(), 64);
                result.readRaw(source, 0, values);
                for (int i = 0; i < fold.scales().channels(); i++) {
                  put(values, i, header.dtype(), folded(fold, get(values, i, header.dtype()), i));
                }
                bytes.accept(values);
              }
            }));
  }

  private static float folded(Fold fold, float stored, int channel) {
    float inverse = fold.scales().inverse(channel);
    return fold.storedMinusOne() ? (1 + stored) * inverse - 1 : stored * inverse;
  }

  private static float get(MemorySegment values, int index, Dtype dtype) {
    return switch (dtype) {
      case BF16 -> Float.intBitsToFloat(values.getAtIndex(SHORTS, index) << 16);
      case F16 -> Float.float16ToFloat(values.getAtIndex(SHORTS, index));
      case F32 -> Float.intBitsToFloat(values.getAtIndex(INTS, index));
      default -> throw new IllegalArgumentException("no type of norms: " + dtype);
    };
  }

  private static void put(MemorySegment values, int index, Dtype dtype, float value) {
    switch (dtype) {
      case BF16 -> {
        int bits = Float.floatToRawIntBits(value);
        values.setAtIndex(SHORTS, index, (short) ((bits + 0x7FFF + (bits >>> 16 & 1)) >>> 16));
      }
      case F16 -> values.setAtIndex(SHORTS, index, Float.floatToFloat16(value));
      case F32 -> values.setAtIndex(INTS, index, Float.floatToRawIntBits(value));
      default -> throw new IllegalArgumentException("no type of norms: " + dtype);
    }
  }
}
