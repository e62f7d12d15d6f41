package io.cafeq.engine.sample;

import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.SafetensorsWriter;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import java.util.ArrayList;
import java.util.List;

/**
 * The dimensions of a Llama-shaped model and the distribution of its weights.
 *
 * @param heads query heads; they divide {@code hidden}
 * @param keyValueHeads key and value heads; they divide {@code heads}
 * @param dtype BF16, F16 or F32
 * @param tied whether the output layer shares the embedding's weights
 * @param distribution of the weights
 * @param outlierShare part of the input channels whose weights are several times larger than the
 *     others, 0 to 1
 * @param largestShard bytes of data in one file at most
 */
public record SampleShape(
    int layers,
    int hidden,
    int intermediate,
    int heads,
    int keyValueHeads,
    int vocabulary,
    Dtype dtype,
    boolean tied,
    Distribution distribution,
    double outlierShare,
    long largestShard) {

  /** Distribution of single weights. */
  public enum Distribution {
    GAUSSIAN,
    /** Student's t with five degrees of freedom: tails as heavy as those of trained weights. */
    STUDENT
  }

  private static final long DEFAULT_SHARD = 4_000_000_000L;
  private static final double DEFAULT_OUTLIERS = 1.0 / 64;

  public SampleShape {
    if (layers < 1
        || hidden < 1
        || intermediate < 1
        || heads < 1
        || keyValueHeads < 1
        || vocabulary < 1
        || largestShard < 1) {
      throw new IllegalArgumentException("all dimensions must be at least 1");
    }
    if (hidden % heads != 0 || heads % keyValueHeads != 0) {
      throw new IllegalArgumentException(
          "heads must divide hidden, and keyValueHeads must divide heads");
    }
    if (dtype != Dtype.BF16 && dtype != Dtype.F16 && dtype != Dtype.F32) {
      throw new IllegalArgumentException("dtype must be BF16, F16 or F32, found " + dtype);
    }
    if (!(outlierShare >= 0 && outlierShare <= 1)) {
      throw new IllegalArgumentException("outlierShare must be from 0 to 1, found " + outlierShare);
    }
  }

  /** 13.9 million weights in four layers, one file of 28 MB. */
  public static SampleShape demo() {
    return new SampleShape(
        4,
        512,
        1408,
        8,
        4,
        4096,
        Dtype.BF16,
        true,
        Distribution.STUDENT,
        DEFAULT_OUTLIERS,
        DEFAULT_SHARD);
  }

  /**
   * A BF16 model whose tensors have at most {@code bytes} bytes, and no less than nine tenths of
   * that; at least 1 MB. As wide as it can be with four layers or more, up to the 4096 channels of
   * the common models of 7 and 8 billion weights.
   */
  public static SampleShape ofBytes(long bytes) {
    if (bytes < 1_000_000) {
      throw new IllegalArgumentException("at least 1000000 bytes are needed, found " + bytes);
    }
    int hidden = 4096;
    while (hidden > 64 && sized(4, hidden, hidden * 3).bytes() > bytes) {
      hidden /= 2;
    }
    SampleShape four = sized(4, hidden, hidden * 3);
    long layer = (four.bytes() - sized(3, hidden, hidden * 3).bytes());
    int layers = Math.toIntExact(4 + Math.max(0, bytes - four.bytes()) / layer);
    // The remaining bytes widen the feed-forward layers.
    long left = bytes - sized(layers, hidden, hidden * 3).bytes();
    int step = 16;
    long unit = 3L * step * hidden * Dtype.BF16.bytes() * layers;
    return sized(layers, hidden, hidden * 3 + Math.toIntExact(Math.max(0, left / unit)) * step);
  }

  private static SampleShape sized(int layers, int hidden, int intermediate) {
    int heads = Math.max(4, hidden / 128);
    return new SampleShape(
        layers,
        hidden,
        intermediate,
        heads,
        heads / 4,
        hidden * 4,
        Dtype.BF16,
        true,
        Distribution.STUDENT,
        DEFAULT_OUTLIERS,
        DEFAULT_SHARD);
  }

  /** The same with files of at most that many bytes of data. */
  public SampleShape withLargestShard(long bytes) {
    return new SampleShape(
        layers,
        hidden,
        intermediate,
        heads,
        keyValueHeads,
        vocabulary,
        dtype,
        tied,
        distribution,
        outlierShare,
        bytes);
  }

  /** The same with another element type. */
  public SampleShape withDtype(Dtype other) {
    return new SampleShape(
        layers,
        hidden,
        intermediate,
        heads,
        keyValueHeads,
        vocabulary,
        other,
        tied,
        distribution,
        outlierShare,
        largestShard);
  }

  /** The same with or without an output layer of its own. */
  public SampleShape withTied(boolean other) {
    return new SampleShape(
        layers,
        hidden,
        intermediate,
        heads,
        keyValueHeads,
        vocabulary,
        dtype,
        other,
        distribution,
        outlierShare,
        largestShard);
  }

  /** Channels of one head. */
  public int headSize() {
    return hidden / heads;
  }

  /** All tensors in the order of the model. */
  public List<Entry> tensors() {
    List<Entry> tensors = new ArrayList<>();
    tensors.add(matrix("model.embed_tokens.weight", vocabulary, hidden));
    int values = keyValueHeads * headSize();
    for (int layer = 0; layer < layers; layer++) {
      String prefix = "model.layers." + layer + ".";
      tensors.add(vector(prefix + "input_layernorm.weight"));
      tensors.add(matrix(prefix + "self_attn.q_proj.weight", hidden, hidden));
      tensors.add(matrix(prefix + "self_attn.k_proj.weight", values, hidden));
      tensors.add(matrix(prefix + "self_attn.v_proj.weight", values, hidden));
      tensors.add(matrix(prefix + "self_attn.o_proj.weight", hidden, hidden));
      tensors.add(vector(prefix + "post_attention_layernorm.weight"));
      tensors.add(matrix(prefix + "mlp.gate_proj.weight", intermediate, hidden));
      tensors.add(matrix(prefix + "mlp.up_proj.weight", intermediate, hidden));
      tensors.add(matrix(prefix + "mlp.down_proj.weight", hidden, intermediate));
    }
    tensors.add(vector("model.norm.weight"));
    if (!tied) {
      tensors.add(matrix("lm_head.weight", vocabulary, hidden));
    }
    return tensors;
  }

  /** Bytes of all tensors. */
  public long bytes() {
    return tensors().stream().mapToLong(SafetensorsWriter.Entry::bytes).sum();
  }

  private Entry matrix(String name, long rows, long columns) {
    return new Entry(name, dtype, List.of(rows, columns));
  }

  private Entry vector(String name) {
    return new Entry(name, dtype, List.of((long) hidden));
  }
}
