package io.cafeq.engine.estimate;

import io.cafeq.engine.family.AttentionRows;
import io.cafeq.engine.statistics.MatrixInput;
import java.util.List;
import java.util.Optional;

/** An input of a layer, and what the family's roles tell of the matrices around it. */
sealed interface LayerInput {
  /** Whose diagonal it is. */
  MatrixInput input();

  /** All rows that read it. */
  List<MatrixRows> readers();

  /**
   * What queries, keys and values read, or the matrices that latent attention compresses with.
   *
   * @param queries rows that make queries
   * @param values rows that make values
   */
  record Attention(MatrixInput input, List<MatrixRows> readers, List<MatrixRows> queries, List<MatrixRows> values)
      implements LayerInput {
    boolean isWhole() {
      return !queries.isEmpty() && !values.isEmpty();
    }
  }

  /**
   * What gate and up read.
   *
   * @param gates empty where there is no gate
   */
  record FeedForward(MatrixInput input, List<MatrixRows> readers, List<MatrixRows> gates, List<MatrixRows> ups)
      implements LayerInput {
    boolean isGated() {
      return !gates.isEmpty() && !ups.isEmpty();
    }

    boolean isExpert() {
      return input.fallBack().isPresent();
    }
  }

  /**
   * What a feed-forward part's down matrix reads.
   *
   * @param from the part's first half, where it has as many rows as down has columns
   */
  record Down(MatrixInput input, MatrixRows matrix, Optional<FeedForward> from) implements LayerInput {
    @Override
    public List<MatrixRows> readers() {
      return List.of(matrix);
    }
  }

  /**
   * What the attention's output matrix reads: heads side by side.
   *
   * @param heads where the values are, if that is known
   */
  record Output(MatrixInput input, MatrixRows matrix, Optional<Heads> heads) implements LayerInput {
    @Override
    public List<MatrixRows> readers() {
      return List.of(matrix);
    }
  }

  /**
   * The values that an output matrix reads.
   *
   * @param values their rows
   * @param read the name of the input that those rows read
   */
  record Heads(AttentionRows places, MatrixRows values, String read) {}

  /** What other matrices read, such as those of mixers that are no attention. */
  record Other(MatrixInput input, List<MatrixRows> readers) implements LayerInput {}
}
