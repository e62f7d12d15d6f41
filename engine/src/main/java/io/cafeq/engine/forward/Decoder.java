package io.cafeq.engine.forward;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.family.DecoderTensors;
import io.cafeq.engine.family.MatrixInputs;
import io.cafeq.engine.modelconfig.ConfigNumbers;
import io.cafeq.engine.tokens.BeginningToken;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A decoder as it stands in a checkpoint: what it computes, how its tensors are called, and which
 * inputs they read. Borrows the weights.
 */
record Decoder(
    ModelWeights weights, DecoderShape shape, DecoderTensors names, MatrixInputs inputs) {
  private static final String BEGINNING = "bos_token_id";

  /** Throws an {@link EngineException} where no forward pass is written for the model. */
  static Decoder of(ModelWeights stored) {
    ModelWeights weights = StackedExperts.over(stored);
    DecoderShape shape = DecoderShapes.of(weights.model().config());
    Optional<DecoderTensors> found = weights.model().decoderTensors(weights::has);
    DecoderTensors names =
        found.orElseThrow(
            () ->
                new EngineException(
                    FailureKind.CHECKPOINT,
                    "found no tensor \"layers.0.input_layernorm.weight\" with an"
                        + " \"embed_tokens.weight\" or \"lm_head.weight\" to go with it, under any"
                        + " prefix of a text model that is known",
                    "Download the checkpoint again; a forward pass needs all of it."));
    return new Decoder(weights, shape, names, weights.model().inputs());
  }

  /** Entries of the vocabulary. */
  int vocabulary() {
    return weights.rows(names.embedding());
  }

  /**
   * What texts begin with: the token that config.json names, for its text model or for the whole;
   * where it names none, the usual one of the family, if the vocabulary has it.
   *
   * @throws EngineException with kind CHECKPOINT where it names one that the vocabulary does not
   *     have, or the model has no embedding
   */
  BeginningToken beginningToken() {
    if (shape.vocabulary().beginning().isEmpty()) {
      return BeginningToken.NONE;
    }
    int vocabulary = vocabulary();
    ConfigNumbers config = ConfigNumbers.of(weights.model().config().text());
    int token = config.index(BEGINNING, shape.vocabulary().beginning().getAsInt());
    if (token < vocabulary) {
      return new BeginningToken(OptionalInt.of(token));
    }
    if (config.has(BEGINNING)) {
      throw config.wrong(BEGINNING, "one of the " + vocabulary + " tokens of the vocabulary");
    }
    return BeginningToken.NONE;
  }

  /**
   * The matrix that makes logits: one of its own where one is stored, whatever config.json says of
   * tied embeddings, as transformers 5 has it; else the embeddings.
   */
  String head() {
    Optional<String> own =
        names
            .head()
            .filter(head -> !weights.stored(head).equals(weights.stored(names.embedding())));
    // Files that do not say are taken as tied; one that says no has lost its head.
    if (own.isEmpty() && names.head().isEmpty() && !shape.vocabulary().tied().orElse(true)) {
      throw new EngineException(
          FailureKind.CHECKPOINT,
          "config.json: tie_word_embeddings is false, but there is no tensor \"lm_head.weight\"",
          "Download the checkpoint again; a forward pass needs all of it.");
    }
    return own.orElse(names.embedding());
  }

  /** Throws where the head is missing, or has not a row for each row of the embeddings. */
  void requireHead() {
    Shapes.require(weights, head(), vocabulary(), shape.hidden(), "the embeddings lead");
  }

  /** Throws where rotary frequencies would depend on the length of the windows. */
  void requireLength(int tokens) {
    int most = shape.longestWindow();
    if (tokens > most) {
      throw new EngineException(
          FailureKind.USAGE,
          "windows of "
              + tokens
              + " tokens are longer than the "
              + most
              + " that the model was trained for, and its"
              + " rotary embedding of type \"dynamic\" is only known up to there",
          "Take shorter windows.");
    }
  }

  RootMeanSquare norm(String tensor, int channels) {
    return new RootMeanSquare(
        weights.vector(tensor, channels), shape.norms().storedMinusOne(), shape.epsilon());
  }
}
