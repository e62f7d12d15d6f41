package io.cafeq.engine.evaluate;

import io.cafeq.engine.evaluate.ChoiceQuestions.Key;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.forward.DecoderSize;
import io.cafeq.engine.forward.ForwardModels;
import io.cafeq.engine.forward.ForwardPass;
import io.cafeq.engine.forward.InputObserver;
import io.cafeq.engine.forward.OutputHead;
import io.cafeq.engine.tokens.Windows;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * Scores multiple-choice questions: the log-likelihood of a choice is the sum over its tokens, each
 * after the context and the choice's earlier tokens; {@link ChoiceTokens} says how both become
 * tokens. Choices of similar lengths go through the model together. One thread; the same bits
 * whatever the memory.
 */
public final class ChoiceEvaluation {
  private static final int PLACES = 512;

  /** Tokens that go through the model together: many, since each time all weights are read. */
  static final long MOST_TOKENS = 1 << 16;

  private final Resources resources;
  private final List<Key> keys;
  private final List<List<ChoiceTokens>> runs;

  /**
   * @param questions at least one, as they are now
   */
  public ChoiceEvaluation(Resources resources, ChoiceQuestions questions) {
    this.resources = resources;
    this.keys = questions.keys();
    this.runs = runs(questions.choices());
  }

  /** How often the model is right. */
  public ChoiceScore score(EvaluatedModel model) {
    double[][] sums = logLikelihoods(model);
    int right = 0;
    int rightNormalised = 0;
    for (int i = 0; i < sums.length; i++) {
      Key key = keys.get(i);
      right += largest(sums[i]) == key.answer() ? 1 : 0;
      rightNormalised += largest(normalised(sums[i], key)) == key.answer() ? 1 : 0;
    }
    return new ChoiceScore(
        keys.size(), (double) right / keys.size(), (double) rightNormalised / keys.size());
  }

  /**
   * Whether all of it can be done, before any of it is; every way of scoring asks by itself.
   *
   * @throws EngineException with kind USAGE where a choice is too long for the model or for the
   *     memory, CHECKPOINT where a token is not in its vocabulary
   */
  public void require(EvaluatedModel model) {
    for (List<ChoiceTokens> run : runs) {
      List<int[]> inputs = inputs(run);
      ForwardModels.requireTokens(model.weights(), inputs);
      ForwardModels.requireTokens(
          model.weights(), run.stream().map(ChoiceTokens::targets).toList());
      ForwardModels.requireLength(model.weights(), Windows.longest(inputs));
      resources.share(model, inputs, beside(model, run), 1);
    }
  }

  private static List<int[]> inputs(List<ChoiceTokens> run) {
    return run.stream().map(ChoiceTokens::inputs).toList();
  }

  private static int places(List<ChoiceTokens> run) {
    return Math.max(
        PLACES, run.stream().mapToInt(choice -> choice.targets().length).max().orElse(0));
  }

  private static long beside(EvaluatedModel model, List<ChoiceTokens> run) {
    int hidden = DecoderSize.of(model.weights()).hidden();
    return model.memory()
        + OutputHead.memoryNeeded(model.weights(), places(run))
        + GatheredStates.bytes(places(run), hidden);
  }

  /** Of each choice of each question, in nats. */
  double[][] logLikelihoods(EvaluatedModel model) {
    double[][] sums =
        keys.stream().map(key -> new double[key.characters().length]).toArray(double[][]::new);
    require(model);
    int layers = DecoderSize.of(model.weights()).layers();
    resources.watcher().began((long) runs.size() * layers);
    for (List<ChoiceTokens> run : runs) {
      add(model, run, sums);
    }
    for (double[] each : sums) {
      if (!Double.isFinite(Arrays.stream(each).sum())) {
        throw new EngineException(
            FailureKind.RESULT,
            model.location() + ": its predictions are not numbers",
            "The weights are broken or their products overflow: use another copy of the model.");
      }
    }
    return sums;
  }

  /** By length, since those that go through a layer together should be of similar lengths. */
  static List<List<ChoiceTokens>> runs(List<ChoiceTokens> choices) {
    List<ChoiceTokens> sorted = new ArrayList<>(choices);
    sorted.sort(Comparator.comparingInt(ChoiceTokens::length));
    List<List<ChoiceTokens>> runs = new ArrayList<>();
    List<ChoiceTokens> run = new ArrayList<>();
    long tokens = 0;
    for (ChoiceTokens choice : sorted) {
      int length = choice.length();
      boolean fits =
          run.isEmpty()
              || (2 * length <= 3 * run.getFirst().length() && tokens + length <= MOST_TOKENS);
      if (!fits) {
        runs.add(run);
        run = new ArrayList<>();
        tokens = 0;
      }
      run.add(choice);
      tokens += length;
    }
    runs.add(run);
    return runs;
  }

  private void add(EvaluatedModel model, List<ChoiceTokens> run, double[][] sums) {
    int hidden = DecoderSize.of(model.weights()).hidden();
    int places = places(run);
    try (ForwardPass pass = resources.pass(model, inputs(run), beside(model, run), 1);
        OutputHead head =
            OutputHead.open(model.weights(), resources.products(), places, resources.stop());
        Arena arena = Arena.ofConfined()) {
      for (int layer = 0; layer < pass.layers(); layer++) {
        pass.layer(layer, InputObserver.NONE);
        resources.watcher().advanced();
      }
      GatheredStates gathered = new GatheredStates(arena, places, hidden);
      List<ChoiceTokens> waiting = new ArrayList<>();
      for (int i = 0; i < run.size(); i++) {
        ChoiceTokens choice = run.get(i);
        if (!gathered.hasRoom(choice.targets().length)) {
          predict(head, gathered, waiting, sums);
        }
        gathered.add(pass.end(i), choice.firstPredicting(), choice.targets().length);
        waiting.add(choice);
      }
      predict(head, gathered, waiting, sums);
    }
  }

  private static void predict(
      OutputHead head, GatheredStates gathered, List<ChoiceTokens> waiting, double[][] sums) {
    Predictions predictions =
        new Predictions(
            waiting.stream().flatMapToInt(choice -> Arrays.stream(choice.targets())).toArray());
    head.forEachSlab(gathered.take(), predictions::add);
    int place = 0;
    for (ChoiceTokens choice : waiting) {
      for (int i = 0; i < choice.targets().length; i++) {
        sums[choice.question()][choice.choice()] += predictions.logLikelihood(place);
        place++;
      }
    }
    waiting.clear();
  }

  private static double[] normalised(double[] sums, Key key) {
    double[] normalised = new double[sums.length];
    for (int i = 0; i < sums.length; i++) {
      normalised[i] = sums[i] / key.characters()[i];
    }
    return normalised;
  }

  private static int largest(double[] values) {
    int found = 0;
    for (int i = 1; i < values.length; i++) {
      if (values[i] > values[found]) {
        found = i;
      }
    }
    return found;
  }
}
