package io.cafeq.engine.model;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.TensorInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/** From the bytes of a checkpoint to what they mean, without the engine's decoders. */
public final class StoredTensors {
  static final String TILE_SCALES = "_scale_inv";
  static final String BLOCKS = "_blocks";
  static final String BLOCK_SCALES = "_scales";

  /** A tensor as it lies in a file. */
  public record Stored(String name, Dtype dtype, List<Integer> shape, byte[] bytes) {}

  private StoredTensors() {}

  /** All tensors of a checkpoint folder. */
  public static Weights read(Path folder) {
    SortedMap<String, Stored> stored = new TreeMap<>();
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        Arena arena = Arena.ofConfined()) {
      for (TensorInfo info : checkpoint.tensors()) {
        MemorySegment bytes = arena.allocate(Math.max(1, info.bytes())).asSlice(0, info.bytes());
        checkpoint.read(info, 0, bytes);
        stored.put(
            info.name(),
            new Stored(
                info.name(),
                info.dtype(),
                info.shape().stream().map(Math::toIntExact).toList(),
                bytes.toArray(ValueLayout.JAVA_BYTE)));
      }
    }
    return decode(stored);
  }

  /**
   * Packed tensors take their scales in and get the shape and the name of their dense form:
   * [experts, in, out] without "_blocks" for 4-bit floats.
   */
  static Weights decode(SortedMap<String, Stored> stored) {
    SortedMap<String, DoubleTensor> tensors = new TreeMap<>();
    for (Stored tensor : stored.values()) {
      Stored scales = stored.get(tensor.name() + TILE_SCALES);
      Stored blockScales =
          tensor.name().endsWith(BLOCKS) ? stored.get(plainName(tensor) + BLOCK_SCALES) : null;
      if (scales != null) {
        PackedFloats.Packed packed = new PackedFloats.Packed(tensor.bytes(), scales.bytes());
        tensors.put(
            tensor.name(),
            new DoubleTensor(
                tensor.shape(), PackedFloats.fromTiled(packed, tensor.shape().getLast())));
      } else if (blockScales != null) {
        PackedFloats.Packed packed = new PackedFloats.Packed(tensor.bytes(), blockScales.bytes());
        tensors.put(
            plainName(tensor),
            PackedFloats.transposed(
                denseShape(tensor.shape()), PackedFloats.fromMicroScaled(packed)));
      } else if (!isScale(tensor.name(), stored)) {
        tensors.put(
            tensor.name(),
            new DoubleTensor(tensor.shape(), NumberCodec.decode(tensor.dtype(), tensor.bytes())));
      }
    }
    return new Weights(tensors);
  }

  private static boolean isScale(String name, SortedMap<String, Stored> stored) {
    return name.endsWith(TILE_SCALES)
            && stored.containsKey(name.substring(0, name.length() - TILE_SCALES.length()))
        || name.endsWith(BLOCK_SCALES)
            && stored.containsKey(
                name.substring(0, name.length() - BLOCK_SCALES.length()) + BLOCKS);
  }

  private static String plainName(Stored tensor) {
    return tensor.name().substring(0, tensor.name().length() - BLOCKS.length());
  }

  /** [experts, out, in] of blocks [experts, out, in / 32, 16]. */
  static List<Integer> denseShape(List<Integer> blocks) {
    return List.of(blocks.get(0), blocks.get(1), blocks.get(2) * 32);
  }
}
