package io.cafeq.engine.weights;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.family.Families;
import io.cafeq.engine.forward.ModelWeights;
import io.cafeq.engine.forward.UnreadKeys;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.modelconfig.TextConfig;
import io.cafeq.engine.text.VisibleText;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * What a user should know of a model: where its files do not agree, and which of them is believed.
 */
public final class ModelWarnings {
  private static final String TIED = "tie_word_embeddings";
  private static final int COMPARED_ROWS = 64;
  private static final int NAMED_KEYS = 5;

  private ModelWarnings() {}

  /** Looks at names, config.json and some rows of the embeddings; each a sentence. */
  public static List<String> of(Checkpoint checkpoint) {
    List<String> warnings = new ArrayList<>(checkpoint.warnings());
    try (CheckpointWeights weights = CheckpointWeights.of(checkpoint)) {
      warnings.addAll(of(weights));
    }
    return List.copyOf(warnings);
  }

  /** The same without what the checkpoint itself warns of. */
  public static List<String> of(ModelWeights weights) {
    List<String> warnings = new ArrayList<>();
    TextConfig config = weights.model().config().text();
    Families.decoder(config).flatMap(decoder -> unread(config)).ifPresent(warnings::add);
    head(weights, config).ifPresent(warnings::add);
    return warnings;
  }

  private static Optional<String> unread(TextConfig config) {
    List<String> keys = UnreadKeys.of(config);
    if (keys.isEmpty()) {
      return Optional.empty();
    }
    String named =
        keys.stream()
            .limit(NAMED_KEYS)
            .map(VisibleText::shortened)
            .collect(Collectors.joining(", "));
    String more = keys.size() > NAMED_KEYS ? " and " + (keys.size() - NAMED_KEYS) + " more" : "";
    return Optional.of(
        "config.json has "
            + (keys.size() == 1 ? "a key" : "keys")
            + " that no forward pass of this kind of model reads: "
            + named
            + more
            + ". Where one changes what the model computes, statistics and evaluations are of"
            + " another model.");
  }

  /**
   * Where a head is stored although config.json has it tied to the embeddings, and is another one.
   */
  private static Optional<String> head(ModelWeights weights, TextConfig config) {
    boolean tied =
        config
            .tied()
            .or(() -> Families.decoder(config).flatMap(decoder -> decoder.vocabulary().tied()))
            .orElse(false);
    return weights
        .model()
        .decoderTensors(weights::has)
        .filter(names -> tied && names.head().isPresent())
        .filter(names -> !same(weights, names.embedding(), names.head().orElseThrow()))
        .map(
            names ->
                "config.json ties the head to the embeddings ("
                    + VisibleText.shortened(config.place(TIED))
                    + "), but "
                    + VisibleText.quoted(names.head().orElseThrow())
                    + " is stored with other values than "
                    + VisibleText.quoted(names.embedding())
                    + ": the stored head is taken, as in transformers 5.");
  }

  private static boolean same(ModelWeights weights, String embedding, String head) {
    try {
      return weights.stored(embedding).equals(weights.stored(head))
          || sameRows(weights, embedding, head);
    } catch (EngineException unreadable) {
      // Whoever needs the values meets the same failure, with more to say of it.
      return true;
    }
  }

  /** Compares rows from all over both: heads that differ do so nearly everywhere. */
  private static boolean sameRows(ModelWeights weights, String embedding, String head) {
    int rows = weights.rows(embedding);
    int columns = weights.columns(embedding);
    if (rows != weights.rows(head) || columns != weights.columns(head)) {
      return false;
    }
    try (Arena arena = Arena.ofConfined()) {
      FloatMatrix one = FloatMatrix.allocate(arena, 1, columns);
      FloatMatrix other = FloatMatrix.allocate(arena, 1, columns);
      int compared = Math.min(rows, COMPARED_ROWS);
      return IntStream.range(0, compared)
          .map(i -> (int) ((long) i * rows / compared))
          .allMatch(
              row -> {
                weights.read(embedding, row, one);
                weights.read(head, row, other);
                return one.segment().mismatch(other.segment()) < 0;
              });
    }
  }
}
