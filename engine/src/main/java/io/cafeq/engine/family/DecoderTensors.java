package io.cafeq.engine.family;

import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * The full names of a decoder's tensors in one checkpoint, where a text model's names may have a prefix.
 *
 * @param prefix what stands before {@code layers.0} and {@code norm}
 * @param embedding the matrix [vocabulary, hidden] that tokens are looked up in
 * @param head the output matrix [vocabulary, hidden] where one has a name of its own
 */
public record DecoderTensors(String prefix, String embedding, Optional<String> head) {
  private static final String EMBEDDING = "embed_tokens.weight";
  private static final String HEAD = "lm_head.weight";

  /**
   * Empty where no prefix that is known leads to both a first layer and embeddings.
   *
   * @param has whether there is a tensor of that name, tied ones included
   */
  public static Optional<DecoderTensors> find(Predicate<String> has) {
    Optional<String> head = named(HEAD, has);
    return DecoderNames.PREFIXES.stream()
        .filter(prefix -> has.test(prefix + "layers.0.input_layernorm.weight"))
        .findFirst()
        .flatMap(prefix -> Stream.concat(Stream.of(prefix + EMBEDDING).filter(has), head.stream())
            .findFirst()
            .map(embedding -> new DecoderTensors(prefix, embedding, head)));
  }

  private static Optional<String> named(String ending, Predicate<String> has) {
    return DecoderNames.PREFIXES.stream().map(prefix -> prefix + ending).filter(has).findFirst();
  }

  /** What the names of a layer's tensors begin with. */
  public String layer(int number) {
    return prefix + "layers." + number + ".";
  }

  /** The weights of the norm after the last layer. */
  public String norm() {
    return prefix + "norm.weight";
  }
}
