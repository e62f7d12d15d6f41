package io.cafeq.engine.forward;

import java.util.List;
import java.util.stream.IntStream;

/** How much native memory the layers of a decoder take. */
record PassSizes(Decoder decoder, List<FeedForwardPart> feedForwards) {
  PassSizes {
    feedForwards = List.copyOf(feedForwards);
  }

  static PassSizes of(Decoder decoder) {
    return new PassSizes(
        decoder,
        IntStream.range(0, decoder.shape().layers().size())
            .mapToObj(layer -> FeedForwardPart.read(decoder, layer))
            .toList());
  }

  /** Bytes for what a layer computes on the way. */
  long workspace(int tokens, long scores) {
    DecoderShape shape = decoder.shape();
    long largest =
        feedForwards.stream().mapToLong(part -> part.workspaceBytes(tokens)).max().orElse(0);
    return 2 * Workspace.bytes(tokens, shape.hidden())
        + Math.max(AttentionPart.workspaceBytes(shape, tokens) + scores, largest);
  }

  /** Bytes of the matrices of the largest layer as floats. */
  long largestLayer() {
    return attentionWeights()
        + feedForwards.stream().mapToLong(FeedForwardPart::weightBytes).max().orElse(0);
  }

  /** Bytes of the matrices of all layers as floats. */
  long allLayers() {
    return feedForwards.stream().mapToLong(part -> attentionWeights() + part.weightBytes()).sum();
  }

  /** Columns of the widest matrix. */
  int widest() {
    DecoderShape shape = decoder.shape();
    int ofParts = feedForwards.stream().mapToInt(FeedForwardPart::widest).max().orElse(1);
    return Math.max(ofParts, Math.max(shape.hidden(), shape.attention().queryWidth()));
  }

  private long attentionWeights() {
    DecoderShape shape = decoder.shape();
    return 2 * WeightSlabs.keptBytes(shape.hidden(), shape.attention().queryWidth())
        + 2 * WeightSlabs.keptBytes(shape.attention().keyWidth(), shape.hidden());
  }
}
