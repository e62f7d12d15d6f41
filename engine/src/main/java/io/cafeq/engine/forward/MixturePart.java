package io.cafeq.engine.forward;

import io.cafeq.engine.memory.FloatMatrix;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A mixture of experts: the sum of the chosen experts' outputs, each times the weight that the
 * router gives it, and of a shared expert behind a logistic gate where there is one. Experts that
 * no token of a chunk chose are not read.
 */
record MixturePart(
    DecoderShape.Experts sizes,
    LinearMap router,
    List<GatedPart> experts,
    Optional<GatedPart> shared,
    Optional<LinearMap> sharedGate)
    implements FeedForwardPart {
  MixturePart {
    experts = List.copyOf(experts);
  }

  static MixturePart read(Decoder decoder, String prefix, DecoderShape.Experts sizes) {
    String module = prefix + sizes.module();
    int hidden = decoder.shape().hidden();
    List<GatedPart> experts = new ArrayList<>();
    for (int expert = 0; expert < sizes.count(); expert++) {
      String own = module + ".experts." + expert + ".";
      experts.add(
          GatedPart.read(decoder, own + sizes.gate(), own + sizes.up(), own + sizes.down()));
    }
    Optional<GatedPart> shared =
        sizes.shared()
            ? Optional.of(
                GatedPart.read(
                    decoder,
                    module + ".shared_expert.gate_proj",
                    module + ".shared_expert.up_proj",
                    module + ".shared_expert.down_proj"))
            : Optional.empty();
    Optional<LinearMap> sharedGate =
        sizes.shared()
            ? Optional.of(
                LinearMap.read(decoder.weights(), module + ".shared_expert_gate.weight", 1, hidden))
            : Optional.empty();
    return new MixturePart(
        sizes,
        LinearMap.read(decoder.weights(), module + ".gate.weight", sizes.count(), hidden),
        experts,
        shared,
        sharedGate);
  }

  @Override
  public long workspaceBytes(int tokens) {
    long largest =
        experts.stream().mapToLong(expert -> expert.workspaceBytes(tokens)).max().orElse(0);
    long ofShared = shared.map(part -> part.workspaceBytes(tokens)).orElse(0L);
    return Workspace.bytes(tokens, sizes.count())
        + 2 * Workspace.bytes(tokens, router.in())
        + Math.max(largest, ofShared);
  }

  @Override
  public long weightBytes() {
    return WeightSlabs.keptBytes(router.out(), router.in())
        + experts.stream().mapToLong(GatedPart::weightBytes).sum()
        + shared.map(GatedPart::weightBytes).orElse(0L)
        + sharedGate.map(gate -> WeightSlabs.keptBytes(1, gate.in())).orElse(0L);
  }

  @Override
  public int widest() {
    return Math.max(
        experts.stream().mapToInt(GatedPart::widest).max().orElse(1),
        shared.map(GatedPart::widest).orElse(1));
  }

  @Override
  public void apply(FloatMatrix x, FloatMatrix y, LayerMemory memory, ObservedInputs observed) {
    Workspace workspace = memory.workspace();
    long mark = workspace.mark();
    observed.observeFallBack(experts.getFirst().gate().weight(), x);
    FloatMatrix scores = workspace.matrix(x.rows(), sizes.count());
    router.apply(memory.slabs(), memory.products(), x, scores);
    List<List<Routing.Sent>> sent = Routing.of(scores, sizes.chosen(), sizes.normed());
    y.segment().fill((byte) 0);
    FloatMatrix gathered = workspace.matrix(x.rows(), x.columns());
    FloatMatrix outputs = workspace.matrix(x.rows(), x.columns());
    for (int expert = 0; expert < sizes.count(); expert++) {
      List<Routing.Sent> own = sent.get(expert);
      if (!own.isEmpty()) {
        for (int i = 0; i < own.size(); i++) {
          Rows.copy(x, own.get(i).token(), gathered, i);
        }
        FloatMatrix output = outputs.slice(0, own.size());
        apply(experts.get(expert), gathered.slice(0, own.size()), output, memory, observed);
        for (int i = 0; i < own.size(); i++) {
          Rows.addScaled(y, own.get(i).token(), output, i, own.get(i).weight());
        }
      }
    }
    shared.ifPresent(
        part -> {
          part.apply(x, outputs.slice(0, x.rows()), memory, observed);
          addShared(x, y, outputs, scores, memory);
        });
    workspace.release(mark);
  }

  private static void apply(
      GatedPart expert, FloatMatrix x, FloatMatrix y, LayerMemory memory, ObservedInputs observed) {
    observed.observe(List.of(expert.gate().weight(), expert.up().weight()), x);
    long mark = memory.workspace().mark();
    FloatMatrix inner = expert.inner(x, memory);
    observed.observe(List.of(expert.down().weight()), inner);
    observed.observeFallBack(expert.down().weight(), inner);
    expert.down().apply(memory.slabs(), memory.products(), inner, y);
    memory.workspace().release(mark);
  }

  /** The scores are not needed any more: their memory takes the gate, one number for each token. */
  private void addShared(
      FloatMatrix x, FloatMatrix y, FloatMatrix output, FloatMatrix scores, LayerMemory memory) {
    FloatMatrix gates =
        new FloatMatrix(scores.segment().asSlice(0, (long) x.rows() * Float.BYTES), x.rows(), 1);
    sharedGate.orElseThrow().apply(memory.slabs(), memory.products(), x, gates);
    for (int token = 0; token < x.rows(); token++) {
      Rows.addScaled(y, token, output, token, (float) (1 / (1 + Math.exp(-gates.get(token, 0)))));
    }
  }
}
