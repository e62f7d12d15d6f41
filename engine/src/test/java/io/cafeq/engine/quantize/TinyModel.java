package io.cafeq.engine.quantize;

import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.checkpoint.ShardedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.IntToDoubleFunction;

/**
 * One attention layer with biases of a test's choice, in two shards: values before, outputs after
 * the cut.
 *
 * @param head channels of a head
 * @param dtype of all tensors
 * @param changes values by tensor name in place of drawn ones
 */
record TinyModel(
    int hidden,
    int heads,
    int keyValueHeads,
    int head,
    Dtype dtype,
    Map<String, IntToDoubleFunction> changes) {
  static final String ATTENTION = "model.layers.0.self_attn.";
  static final String VALUES = ATTENTION + "v_proj.weight";
  static final String VALUE_BIAS = ATTENTION + "v_proj.bias";
  static final String OUTPUTS = ATTENTION + "o_proj.weight";

  static TinyModel of(int hidden, int heads, int keyValueHeads, int head) {
    return new TinyModel(hidden, heads, keyValueHeads, head, Dtype.F32, Map.of());
  }

  TinyModel with(Dtype other) {
    return new TinyModel(hidden, heads, keyValueHeads, head, other, changes);
  }

  TinyModel with(String tensor, IntToDoubleFunction values) {
    Map<String, IntToDoubleFunction> more = new LinkedHashMap<>(changes);
    more.put(tensor, values);
    return new TinyModel(hidden, heads, keyValueHeads, head, dtype, more);
  }

  Path write(Path folder) {
    List<Entry> early = new ArrayList<>();
    List<Entry> late = new ArrayList<>();
    for (String each : List.of("q", "k", "v")) {
      long rows = (long) head * (each.equals("q") ? heads : keyValueHeads);
      early.add(new Entry(ATTENTION + each + "_proj.bias", dtype, List.of(rows)));
      early.add(new Entry(ATTENTION + each + "_proj.weight", dtype, List.of(rows, (long) hidden)));
    }
    late.add(new Entry(OUTPUTS, dtype, List.of((long) hidden, (long) heads * head)));
    List<ShardedWriter.Shard> shards =
        List.of(
            new ShardedWriter.Shard("model-00001-of-00002.safetensors", early),
            new ShardedWriter.Shard("model-00002-of-00002.safetensors", late));
    try (Arena arena = Arena.ofConfined()) {
      Files.createDirectories(folder);
      Files.writeString(
          folder.resolve("config.json"),
          """
          {"model_type": "qwen2", "hidden_size": %d, "num_attention_heads": %d, "num_key_value_heads": %d,
           "head_dim": %d, "num_hidden_layers": 1, "intermediate_size": 8, "vocab_size": 8}
          """
              .formatted(hidden, heads, keyValueHeads, head));
      try (ShardedWriter writer = ShardedWriter.create(folder, shards, Map.of())) {
        for (Entry entry : writer.order()) {
          writer.append(entry.name(), bytes(arena, entry));
        }
        writer.finish();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return folder;
  }

  private MemorySegment bytes(Arena arena, Entry entry) {
    Random random = new Random(entry.name().hashCode());
    double size = entry.shape().size() == 1 ? 0.3 : 0.05;
    IntToDoubleFunction values =
        changes.getOrDefault(entry.name(), index -> random.nextGaussian() * size);
    MemorySegment bytes = arena.allocate(entry.bytes(), 8);
    int count = Math.toIntExact(entry.bytes() / dtype.bytes());
    for (int i = 0; i < count; i++) {
      float value = (float) values.applyAsDouble(i);
      switch (dtype) {
        case F64 ->
            bytes.setAtIndex(ValueLayout.JAVA_DOUBLE.withOrder(ByteOrder.LITTLE_ENDIAN), i, value);
        case F32 ->
            bytes.setAtIndex(ValueLayout.JAVA_FLOAT.withOrder(ByteOrder.LITTLE_ENDIAN), i, value);
        case F16 ->
            bytes.setAtIndex(
                ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN),
                i,
                Float.floatToFloat16(value));
        case BF16 ->
            bytes.setAtIndex(
                ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN),
                i,
                (short) (Float.floatToRawIntBits(value) >>> 16));
        case F8_E4M3, F8_E5M2, F8_E8M0, I64, I32, I16, I8, U64, U32, U16, U8, BOOL ->
            throw new IllegalArgumentException("no weights of " + dtype);
      }
    }
    return bytes;
  }
}
