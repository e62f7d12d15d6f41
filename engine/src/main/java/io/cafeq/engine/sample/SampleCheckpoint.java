package io.cafeq.engine.sample;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.checkpoint.DurableFile;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.checkpoint.ShardedWriter;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.failure.StopFlag;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/** Writes a checkpoint of random weights, as a stream and in bounded memory. */
public final class SampleCheckpoint {
  private static final int PIECE = 64 * SampleWeights.TILE;

  private SampleCheckpoint() {}

  /**
   * Writes config.json and the weights into a folder that is new or empty. Each weight depends on
   * the seed, the tensor's name and its place alone. Throws EngineException: USAGE where the folder
   * holds something, ENVIRONMENT where the disk is full, STOPPED; no weights are left then.
   */
  public static void write(SampleShape shape, long seed, Path folder, StopFlag stop) {
    begin(folder);
    Map<String, String> metadata =
        shape.tied() ? Map.of("lm_head.weight", "model.embed_tokens.weight") : Map.of();
    try (Arena arena = Arena.ofConfined();
        ShardedWriter writer =
            ShardedWriter.create(
                folder, ShardedWriter.spread(shape.tensors(), shape.largestShard()), metadata)) {
      SampleWeights weights =
          new SampleWeights(QuantileTable.of(shape.distribution()), shape.dtype());
      MemorySegment piece = arena.allocate((long) PIECE * shape.dtype().bytes(), 64);
      for (Entry tensor : writer.order()) {
        write(shape, seed, tensor, weights, piece, writer, stop);
      }
      writer.finish();
      // Last, so that a config.json means a complete model.
      DurableFile.write(
          folder.resolve("config.json"), config(shape).getBytes(StandardCharsets.UTF_8));
    }
  }

  private static void begin(Path folder) {
    try {
      Files.createDirectories(folder);
      try (Stream<Path> entries = Files.list(folder)) {
        if (entries.findAny().isPresent()) {
          throw new EngineException(
              FailureKind.USAGE,
              folder + ": expected an empty folder, found files in it",
              "Choose a new folder.");
        }
      }
    } catch (IOException e) {
      throw FileFailure.of("create", folder, e);
    }
  }

  private static void write(
      SampleShape shape,
      long seed,
      Entry tensor,
      SampleWeights weights,
      MemorySegment piece,
      ShardedWriter writer,
      StopFlag stop) {
    int size = shape.dtype().bytes();
    long elements = tensor.bytes() / size;
    boolean isMatrix = tensor.shape().size() == 2;
    int columns = Math.toIntExact(tensor.shape().getLast());
    SampleWeights.Matrix matrix =
        new SampleWeights.Matrix(seed, tensor.name(), columns, shape.outlierShare());
    for (long first = 0; first < elements; first += PIECE) {
      stop.check();
      int count = (int) Math.min(PIECE, elements - first);
      for (int done = 0; done < count; done += SampleWeights.TILE) {
        int tile = Math.min(SampleWeights.TILE, count - done);
        MemorySegment target = piece.asSlice((long) done * size, (long) tile * size);
        if (isMatrix) {
          weights.matrix(matrix, first + done, tile, target);
        } else {
          weights.norm(seed, tensor.name(), first + done, tile, target);
        }
      }
      writer.append(tensor.name(), piece.asSlice(0, (long) count * size));
    }
  }

  private static String config(SampleShape shape) {
    ObjectNode config = new JsonMapper().createObjectNode();
    config.putArray("architectures").add("LlamaForCausalLM");
    config.put("model_type", "llama");
    config.put(
        "torch_dtype",
        switch (shape.dtype()) {
          case BF16 -> "bfloat16";
          case F16 -> "float16";
          case F32 -> "float32";
          case F64, F8_E4M3, F8_E5M2, F8_E8M0, I64, I32, I16, I8, U64, U32, U16, U8, BOOL ->
              throw new IllegalStateException(shape.dtype().name().toLowerCase(Locale.ROOT));
        });
    config.put("hidden_size", shape.hidden());
    config.put("intermediate_size", shape.intermediate());
    config.put("num_hidden_layers", shape.layers());
    config.put("num_attention_heads", shape.heads());
    config.put("num_key_value_heads", shape.keyValueHeads());
    config.put("vocab_size", shape.vocabulary());
    config.put("tie_word_embeddings", shape.tied());
    config.put("hidden_act", "silu");
    config.put("max_position_embeddings", 2048);
    config.put("rms_norm_eps", 1e-5);
    config.put("rope_theta", 10000.0);
    config.put("bos_token_id", 1);
    config.put("eos_token_id", 2);
    return config.toPrettyString() + "\n";
  }
}
