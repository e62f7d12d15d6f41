package io.cafeq.engine.forward;

import io.cafeq.engine.memory.FloatMatrix;
import java.util.List;

/** down(activation(gate x) * up x). */
record GatedPart(LinearMap gate, LinearMap up, LinearMap down) implements FeedForwardPart {
  /** By modules; the inner width is that of the gate. */
  static GatedPart read(Decoder decoder, String gate, String up, String down) {
    ModelWeights weights = decoder.weights();
    int hidden = decoder.shape().hidden();
    int inner = weights.rows(gate + ".weight");
    return new GatedPart(
        LinearMap.read(weights, gate + ".weight", inner, hidden),
        LinearMap.read(weights, up + ".weight", inner, hidden),
        LinearMap.read(weights, down + ".weight", hidden, inner));
  }

  @Override
  public long workspaceBytes(int tokens) {
    return 2 * Workspace.bytes(tokens, gate.out());
  }

  @Override
  public long weightBytes() {
    return 3 * WeightSlabs.keptBytes(gate.out(), gate.in());
  }

  @Override
  public int widest() {
    return Math.max(gate.in(), down.in());
  }

  @Override
  public void apply(FloatMatrix x, FloatMatrix y, LayerMemory memory, ObservedInputs observed) {
    observed.observe(List.of(gate.weight(), up.weight()), x);
    Workspace workspace = memory.workspace();
    long mark = workspace.mark();
    FloatMatrix inner = inner(x, memory);
    observed.observe(List.of(down.weight()), inner);
    down.apply(memory.slabs(), memory.products(), inner, y);
    workspace.release(mark);
  }

  /** What goes into down, [tokens, inner]; the caller takes the workspace back. */
  FloatMatrix inner(FloatMatrix x, LayerMemory memory) {
    FloatMatrix gates = memory.workspace().matrix(x.rows(), gate.out());
    FloatMatrix ups = memory.workspace().matrix(x.rows(), gate.out());
    gate.apply(memory.slabs(), memory.products(), x, gates);
    up.apply(memory.slabs(), memory.products(), x, ups);
    memory.gating().apply(gates, ups);
    return gates;
  }
}
