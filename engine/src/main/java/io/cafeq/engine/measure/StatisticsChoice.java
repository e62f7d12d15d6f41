package io.cafeq.engine.measure;

import io.cafeq.config.StatisticsSettings;
import io.cafeq.config.StatisticsSource;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.estimate.ModelLayout;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.forward.ForwardModels;
import io.cafeq.engine.tokens.TextTokenizer;
import io.cafeq.engine.weights.CheckpointWeights;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Where the moments come from: what was asked for, and what that comes to with this model.
 *
 * @param used never {@link StatisticsSource.Auto}
 * @param note why, for the user, where it is less than the best
 */
public record StatisticsChoice(
    StatisticsSource asked, StatisticsSource used, Optional<String> note) {
  private static final String REMEDY = "Run again with --statistics weights, which runs no model.";
  private static final String SHORTER =
      "Run again with a smaller --statistics-window, or with --statistics weights.";

  /**
   * Looks at config.json, at the tensors that a forward pass needs, and at tokenizer.json where
   * text has to become tokens. Throws with kind USAGE where the model cannot be run, CHECKPOINT
   * where a tensor or its tokenizer is missing or cannot be used, ENVIRONMENT where no tokenizer
   * works on this machine. What auto comes to is decided by the checkpoint and the settings alone,
   * never by the machine, so that the bytes are the same everywhere.
   */
  public static StatisticsChoice of(StatisticsSettings settings, Checkpoint checkpoint) {
    int window = Math.min(settings.window(), settings.tokens());
    return switch (settings.source()) {
      case StatisticsSource.None none -> new StatisticsChoice(none, none, Optional.empty());
      case StatisticsSource.Weights weights -> estimated(weights, checkpoint);
      case StatisticsSource.Auto auto -> automatic(auto, checkpoint, window);
      case StatisticsSource.Random random -> running(random, checkpoint, window);
      case StatisticsSource.Self self -> running(self, checkpoint, window);
      case StatisticsSource.BuiltInText text -> tokenized(text, checkpoint, window);
      case StatisticsSource.TextFile file -> tokenized(file, checkpoint, window);
    };
  }

  /**
   * Throws with kind USAGE where the user's text is not there. Who goes on with the tokens of an
   * earlier run needs it no more.
   */
  public void requireText() {
    if (used instanceof StatisticsSource.TextFile(String path)) {
      TextFiles.require(Path.of(path));
    }
  }

  /** With what auto came to before; anything else is what was asked for. */
  public StatisticsChoice asItWas(String source) {
    return asked instanceof StatisticsSource.Auto
        ? StatisticsSource.parse(source)
            .filter(before -> !before.equals(used))
            .map(before -> new StatisticsChoice(asked, before, Optional.empty()))
            .orElse(this)
        : this;
  }

  private static StatisticsChoice automatic(
      StatisticsSource auto, Checkpoint checkpoint, int window) {
    ForwardModels.Support support = ForwardModels.supports(checkpoint.config(), window);
    if (!support.supported()) {
      return withoutRunning(auto, checkpoint, support.reason());
    }
    try {
      requireWhole(checkpoint);
    } catch (EngineException e) {
      return withoutRunning(auto, checkpoint, String.valueOf(e.getMessage()));
    }
    try (TextTokenizer tokenizer = TextTokenizer.open(checkpoint.store())) {
      return new StatisticsChoice(auto, new StatisticsSource.BuiltInText(), Optional.empty());
    } catch (EngineException e) {
      if (e.kind() != FailureKind.CHECKPOINT) {
        throw orElse(e, "random or weights");
      }
      return new StatisticsChoice(
          auto,
          new StatisticsSource.Random(),
          Optional.of(
              "The statistics of the matrices' inputs are those of random tokens, since there is no"
                  + " tokenizer: "
                  + e.getMessage()
                  + "."));
    }
  }

  private static StatisticsChoice withoutRunning(
      StatisticsSource auto, Checkpoint checkpoint, String reason) {
    if (ModelLayout.of(checkpoint).isEmpty()) {
      return new StatisticsChoice(
          auto,
          new StatisticsSource.None(),
          Optional.of("No statistics of the matrices' inputs are taken: " + reason + "."));
    }
    return new StatisticsChoice(
        auto,
        new StatisticsSource.Weights(),
        Optional.of(
            "The statistics of the matrices' inputs are estimated from the weights, since "
                + reason
                + "."));
  }

  private static StatisticsChoice estimated(StatisticsSource weights, Checkpoint checkpoint) {
    return new StatisticsChoice(
        weights,
        weights,
        ModelLayout.of(checkpoint).isEmpty()
            ? Optional.of(
                "No statistics of the matrices' inputs are estimated, since the roles of this"
                    + " model's matrices are not known.")
            : Optional.empty());
  }

  private static void requireWhole(Checkpoint checkpoint) {
    try (CheckpointWeights weights = CheckpointWeights.of(checkpoint)) {
      ForwardModels.requireWhole(weights);
    }
  }

  private static StatisticsChoice tokenized(
      StatisticsSource source, Checkpoint checkpoint, int window) {
    StatisticsChoice choice = running(source, checkpoint, window);
    try {
      TextTokenizer.open(checkpoint.store()).close();
    } catch (EngineException e) {
      throw orElse(e, "random or weights");
    }
    return choice;
  }

  /** The failure of what only some sources need, which quantizing can do without. */
  private static EngineException orElse(EngineException failed, String sources) {
    return new EngineException(
        failed.kind(),
        String.valueOf(failed.getMessage()),
        failed.remedy() + " Or run again with --statistics " + sources + ".",
        failed);
  }

  private static StatisticsChoice running(
      StatisticsSource source, Checkpoint checkpoint, int window) {
    ForwardModels.Support support = ForwardModels.supports(checkpoint.config(), window);
    if (!support.supported()) {
      throw new EngineException(
          FailureKind.USAGE,
          "statistics " + source.text() + " need a model that can be run, but " + support.reason(),
          ForwardModels.supports(checkpoint.config()).supported() ? SHORTER : REMEDY);
    }
    try {
      requireWhole(checkpoint);
    } catch (EngineException e) {
      throw orElse(e, "weights");
    }
    return new StatisticsChoice(source, source, Optional.empty());
  }
}
