package io.cafeq.engine.forward;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.memory.FloatMatrix;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** Looks tokens up. */
final class Embedding {
  private Embedding() {}

  /** Throws where a token is not in the vocabulary. */
  static void check(List<int[]> windows, int vocabulary) {
    for (int[] window : windows) {
      for (int token : window) {
        if (token < 0 || token >= vocabulary) {
          throw new EngineException(
              FailureKind.CHECKPOINT,
              "token "
                  + token
                  + " is not among the "
                  + vocabulary
                  + " entries of the model's vocabulary",
              "Use the tokenizer.json that belongs to the checkpoint.");
        }
      }
    }
  }

  /** Fills states [tokens, hidden]. Each row of the table is read once, in rising order. */
  static void fill(Decoder decoder, WeightSlabs slabs, int[] tokens, FloatMatrix states) {
    List<Integer> order =
        IntStream.range(0, tokens.length)
            .boxed()
            .sorted(
                Comparator.comparingInt((Integer place) -> tokens[place])
                    .thenComparing(Comparator.naturalOrder()))
            .toList();
    int previous = -1;
    for (int place : order) {
      if (previous >= 0 && tokens[previous] == tokens[place]) {
        Rows.copy(states, previous, states, place);
      } else {
        slabs.row(decoder.names().embedding(), tokens[place], states.slice(place, 1));
      }
      previous = place;
    }
    if (decoder.shape().vocabulary().scale() != 1) {
      Rows.scale(states, (float) decoder.shape().vocabulary().scale());
    }
  }
}
