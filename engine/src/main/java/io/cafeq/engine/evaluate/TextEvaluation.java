package io.cafeq.engine.evaluate;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.forward.DecoderSize;
import io.cafeq.engine.forward.ForwardModels;
import io.cafeq.engine.forward.ForwardPass;
import io.cafeq.engine.forward.InputObserver;
import io.cafeq.engine.forward.OutputHead;
import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Perplexity, and how a model differs from a reference, as {@link TextScore} and {@link Comparison}
 * define them. Two models go side by side, layer by layer. One thread; the same bits whatever the
 * memory.
 */
public final class TextEvaluation {
  /** Places that are predicted together, where windows are shorter. */
  private static final int USUAL_PLACES = 512;

  private final Resources resources;
  private final List<int[]> windows;
  private final List<int[]> inputs;
  private final int window;

  /**
   * @param windows token ids, at least one window and two tokens; all windows of one length
   */
  public TextEvaluation(Resources resources, List<int[]> windows) {
    this.resources = resources;
    this.windows = List.copyOf(windows);
    this.window = windows.getFirst().length;
    if (window < 2 || windows.stream().anyMatch(each -> each.length != window)) {
      throw new IllegalArgumentException("windows need one length, of at least two tokens");
    }
    this.inputs = this.windows.stream().map(each -> Arrays.copyOf(each, each.length - 1)).toList();
  }

  /**
   * As many whole windows from the start of a text as there are, at most {@code most}; they do not
   * overlap.
   */
  public static List<int[]> windows(int[] tokens, int window, int most) {
    List<int[]> windows = new ArrayList<>();
    for (int first = 0; windows.size() < most && first + window <= tokens.length; first += window) {
      windows.add(Arrays.copyOfRange(tokens, first, first + window));
    }
    return windows;
  }

  /** One model by itself. */
  public TextScore score(EvaluatedModel model) {
    checkTokens(model);
    int hidden = hidden(model);
    long beside =
        model.memory()
            + OutputHead.memoryNeeded(model.weights(), places())
            + GatheredStates.bytes(places(), hidden);
    try (ForwardPass pass = resources.pass(model, inputs, beside, 1);
        OutputHead head = head(model);
        Arena arena = Arena.ofConfined()) {
      resources.watcher().began(pass.layers() + batches());
      for (int layer = 0; layer < pass.layers(); layer++) {
        pass.layer(layer, InputObserver.NONE);
        resources.watcher().advanced();
      }
      GatheredStates gathered = new GatheredStates(arena, places(), hidden);
      double[] losses = new double[windows.size()];
      for (int first = 0; first < windows.size(); first += together()) {
        int count = gather(pass, gathered, first);
        Predictions predictions = new Predictions(targets(first, count));
        head.forEachSlab(gathered.take(), predictions::add);
        for (int i = 0; i < count; i++) {
          losses[first + i] = loss(predictions, i, false);
        }
        resources.watcher().advanced();
      }
      return score(model, losses);
    }
  }

  /**
   * Both models.
   *
   * @throws EngineException with kind USAGE where they are of different shapes
   */
  public Comparison compare(EvaluatedModel model, EvaluatedModel reference) {
    model.requireAlike(reference);
    checkTokens(model);
    int hidden = hidden(model);
    long beside =
        model.memory()
            + reference.memory()
            + 2 * OutputHead.memoryNeeded(model.weights(), places())
            + 2 * GatheredStates.bytes(places(), hidden)
            + OutputErrors.bytes(Math.max(USUAL_PLACES, window), hidden);
    try (ForwardPass pass = resources.pass(model, inputs, beside, 2);
        ForwardPass referencePass = resources.pass(reference, inputs, beside, 2)) {
      resources.watcher().began(pass.layers() + batches());
      OutputErrors errors =
          new OutputErrors(
              reference.weights(),
              model.weights(),
              matrix -> model.isFactor(matrix) || reference.isFactor(matrix),
              reference.couplingsByValues(),
              resources.products());
      for (int layer = 0; layer < pass.layers(); layer++) {
        errors.enter(layer);
        referencePass.layer(layer, errors);
        pass.layer(layer, InputObserver.NONE);
        resources.watcher().advanced();
      }
      return compare(model, pass, reference, referencePass, errors);
    }
  }

  private Comparison compare(
      EvaluatedModel model,
      ForwardPass pass,
      EvaluatedModel reference,
      ForwardPass referencePass,
      OutputErrors errors) {
    try (OutputHead head = head(model);
        OutputHead referenceHead = head(reference);
        Arena arena = Arena.ofConfined()) {
      GatheredStates gathered = new GatheredStates(arena, places(), hidden(model));
      GatheredStates referenceGathered = new GatheredStates(arena, places(), hidden(model));
      double[] losses = new double[windows.size()];
      double[] referenceLosses = new double[windows.size()];
      double divergence = 0;
      long agreed = 0;
      for (int first = 0; first < windows.size(); first += together()) {
        int count = gather(pass, gathered, first);
        gather(referencePass, referenceGathered, first);
        FloatMatrix states = gathered.take();
        FloatMatrix referenceStates = referenceGathered.take();
        Predictions predictions = new Predictions(targets(first, count));
        for (int slab = 0; slab < head.slabs(); slab++) {
          predictions.add(
              head.firstEntry(slab),
              head.logits(slab, states),
              referenceHead.logits(slab, referenceStates));
        }
        for (int i = 0; i < count; i++) {
          losses[first + i] = loss(predictions, i, false);
          referenceLosses[first + i] = loss(predictions, i, true);
        }
        for (int place = 0; place < predictions.places(); place++) {
          divergence += predictions.divergence(place);
          agreed += predictions.agree(place) ? 1 : 0;
        }
        resources.watcher().advanced();
      }
      TextScore score = score(model, losses);
      return new Comparison(
          score,
          score(reference, referenceLosses),
          divergence / score.predicted(),
          (double) agreed / score.predicted(),
          errors.errors());
    }
  }

  private int gather(ForwardPass pass, GatheredStates gathered, int first) {
    int count = Math.min(together(), windows.size() - first);
    for (int i = 0; i < count; i++) {
      gathered.add(pass.end(first + i), 0, window - 1);
    }
    return count;
  }

  private int[] targets(int first, int count) {
    return windows.subList(first, first + count).stream()
        .flatMapToInt(each -> Arrays.stream(each, 1, each.length))
        .toArray();
  }

  /**
   * The mean negative log-likelihood of the window at place {@code index} of those predicted
   * together.
   */
  private double loss(Predictions predictions, int index, boolean ofReference) {
    double sum = 0;
    for (int place = index * (window - 1); place < (index + 1) * (window - 1); place++) {
      sum -=
          ofReference
              ? predictions.referenceLogLikelihood(place)
              : predictions.logLikelihood(place);
    }
    return sum / (window - 1);
  }

  private TextScore score(EvaluatedModel model, double[] losses) {
    TextScore score = TextScore.of(window, losses);
    if (!Double.isFinite(score.perplexity())) {
      throw new EngineException(
          FailureKind.RESULT,
          model.location()
              + ": its predictions are not numbers: the perplexity would be "
              + score.perplexity(),
          "The weights are broken or their products overflow: use another copy of the model.");
    }
    return score;
  }

  /** The last token of a window, too, which no layer sees. */
  private void checkTokens(EvaluatedModel model) {
    ForwardModels.requireTokens(model.weights(), windows);
  }

  private OutputHead head(EvaluatedModel model) {
    return OutputHead.open(model.weights(), resources.products(), places(), resources.stop());
  }

  private static int hidden(EvaluatedModel model) {
    return DecoderSize.of(model.weights()).hidden();
  }

  private int together() {
    return Math.max(1, USUAL_PLACES / (window - 1));
  }

  private int places() {
    return together() * (window - 1);
  }

  private int batches() {
    return Math.ceilDiv(windows.size(), together());
  }
}
