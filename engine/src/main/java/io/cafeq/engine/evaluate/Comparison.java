package io.cafeq.engine.evaluate;

import java.util.List;

/**
 * A model beside its reference on the same text.
 *
 * @param divergence mean over the predicted tokens of KL(reference || model), in nats
 * @param topAgreement share of the predicted tokens for which both find the same token the
 *     likeliest
 * @param outputErrors by layer and matrix, in the model's order
 */
public record Comparison(
    TextScore model,
    TextScore reference,
    double divergence,
    double topAgreement,
    List<OutputError> outputErrors) {
  public Comparison {
    outputErrors = List.copyOf(outputErrors);
  }
}
