package io.cafeq.engine.forward;

import io.cafeq.engine.memory.FloatMatrix;
import java.util.List;
import java.util.Optional;

/**
 * The attention of one layer: o(softmax(scale q k^T) v).
 *
 * @param layer from 0
 */
record AttentionPart(
    int layer,
    LinearMap query,
    LinearMap key,
    LinearMap value,
    LinearMap output,
    HeadPlacing queries,
    HeadPlacing keys) {
  static AttentionPart read(Decoder decoder, int layer, RotaryTable rotary) {
    String module = decoder.names().layer(layer) + "self_attn.";
    DecoderShape.Attention sizes = decoder.shape().attention();
    int hidden = decoder.shape().hidden();
    ModelWeights weights = decoder.weights();
    return new AttentionPart(
        layer,
        LinearMap.read(weights, module + "q_proj.weight", sizes.queryWidth(), hidden),
        LinearMap.read(weights, module + "k_proj.weight", sizes.keyWidth(), hidden),
        LinearMap.read(weights, module + "v_proj.weight", sizes.keyWidth(), hidden),
        LinearMap.read(weights, module + "o_proj.weight", hidden, sizes.queryWidth()),
        new HeadPlacing(sizes.size(), rotary, headNorm(decoder, module + "q_norm.weight")),
        new HeadPlacing(sizes.size(), rotary, headNorm(decoder, module + "k_norm.weight")));
  }

  private static Optional<RootMeanSquare> headNorm(Decoder decoder, String tensor) {
    return decoder.shape().norms().ofHeads()
        ? Optional.of(decoder.norm(tensor, decoder.shape().attention().size()))
        : Optional.empty();
  }

  /** Bytes of workspace, without the scores. */
  static long workspaceBytes(DecoderShape shape, int tokens) {
    DecoderShape.Attention sizes = shape.attention();
    return 2 * Workspace.bytes(tokens, sizes.queryWidth())
        + 2 * Workspace.bytes(tokens, sizes.keyWidth());
  }

  /**
   * @param x normed states, y what is added to the states; both [tokens, hidden]
   */
  void apply(
      FloatMatrix x,
      FloatMatrix y,
      Attending attending,
      LayerMemory memory,
      ObservedInputs observed) {
    observed.observe(List.of(query.weight(), key.weight(), value.weight()), x);
    Workspace workspace = memory.workspace();
    long mark = workspace.mark();
    FloatMatrix q = workspace.matrix(x.rows(), query.out());
    FloatMatrix k = workspace.matrix(x.rows(), key.out());
    FloatMatrix v = workspace.matrix(x.rows(), value.out());
    FloatMatrix attended = workspace.matrix(x.rows(), query.out());
    query.apply(memory.slabs(), memory.products(), x, q);
    key.apply(memory.slabs(), memory.products(), x, k);
    value.apply(memory.slabs(), memory.products(), x, v);
    queries.apply(q, attending);
    keys.apply(k, attending);
    attending.attend(layer, q, k, v, attended);
    observed.observe(List.of(output.weight()), attended);
    output.apply(memory.slabs(), memory.products(), attended, y);
    workspace.release(mark);
  }
}
