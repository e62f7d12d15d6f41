package io.cafeq.engine.evaluate;

import io.cafeq.engine.compute.Backends;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.forward.Judge;
import io.cafeq.engine.forward.Logits;
import io.cafeq.engine.model.Miniature;
import io.cafeq.engine.tokens.BeginningToken;
import io.cafeq.engine.tokens.TextTokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.SplittableRandom;
import java.util.function.Function;

/** Runs evaluations of small checkpoints. */
public final class Evaluations {
  /** Entries of every miniature's vocabulary. */
  public static final int VOCABULARY = 50;

  public static final long PLENTY = 512L << 20;

  private Evaluations() {}

  /** Windows of seeded tokens. */
  public static List<int[]> windows(int count, int length) {
    SplittableRandom random = new SplittableRandom(count + 100L * length);
    List<int[]> windows = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      windows.add(random.ints(length, 0, VOCABULARY).toArray());
    }
    return windows;
  }

  public static <T> T with(Path scratch, long memory, Function<Resources, T> work) {
    try (ComputeLane lane = Backends.open("auto").openLane()) {
      return work.apply(
          new Resources(
              lane.products(), memory, 0, scratch, new StopFlag(), EvaluationWatcher.NONE));
    }
  }

  public static TextScore score(Path model, List<int[]> windows, long memory) {
    try (EvaluatedModel opened = EvaluatedModel.open(model)) {
      return with(model, memory, resources -> new TextEvaluation(resources, windows).score(opened));
    }
  }

  public static Comparison compare(Path model, Path reference, List<int[]> windows, long memory) {
    try (EvaluatedModel opened = EvaluatedModel.open(model);
        EvaluatedModel other = EvaluatedModel.open(reference)) {
      return with(
          model,
          memory,
          resources -> new TextEvaluation(resources, windows).compare(opened, other));
    }
  }

  /** The log-likelihood of each choice of each question. */
  public static double[][] choices(Path model, List<Question> questions, long memory) {
    try (EvaluatedModel opened = EvaluatedModel.open(model)) {
      return with(
          model, memory, resources -> choices(model, resources, questions).logLikelihoods(opened));
    }
  }

  public static ChoiceEvaluation choices(
      Path model, Resources resources, List<Question> questions) {
    try (TextTokenizer tokenizer = TextTokenizer.open(model)) {
      ChoiceQuestions added =
          new ChoiceQuestions(tokenizer, OptionalInt.empty(), BeginningToken.NONE);
      questions.forEach(added::add);
      return new ChoiceEvaluation(resources, added);
    }
  }

  /** log softmax of the logits of all tokens of a window, in double. */
  public static List<double[]> logSoftmax(Miniature miniature, int[] window) {
    List<double[]> logits =
        Logits.inDouble(
            miniature, Judge.of(miniature, miniature.config(), List.of(window)).states());
    for (double[] row : logits) {
      double sum = 0;
      for (double logit : row) {
        sum += Math.exp(logit);
      }
      for (int i = 0; i < row.length; i++) {
        row[i] -= Math.log(sum);
      }
    }
    return logits;
  }
}
