package io.cafeq.engine.model;

/**
 * A model's layers in double, written from its published definition: embedding, every attention and
 * feed-forward part, the last norm. Later tokens do not change the states of earlier ones, but for
 * encoders.
 */
@FunctionalInterface
public interface ForwardPass {
  Trace run(int... tokens);

  /** By {@code model_type} of config.json, or that of its {@code text_config}. */
  static ForwardPass of(Model model) {
    return switch (model.type()) {
      case "gpt2" -> new Gpt2Pass(model);
      case "gpt_neox" -> new GptNeoxPass(model);
      case "bert", "roberta", "distilbert" -> new BertPass(model);
      default -> Decoders.of(model);
    };
  }
}
