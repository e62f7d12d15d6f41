package io.cafeq.engine.family;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * The full names of a decoder's tensors in one checkpoint, where a text model's names may have a
 * prefix.
 *
 * @param prefix of {@code layers.0} and {@code norm}
 * @param embedding the matrix [vocabulary, hidden] that tokens are looked up in
 * @param head the output matrix [vocabulary, hidden] where one has a name of its own
 */
public record DecoderTensors(String prefix, String embedding, Optional<String> head) {
  private static final String EMBEDDING = "embed_tokens.weight";
  private static final String LAYERS = "layers.";
  private static final String HEAD = "lm_head.weight";

  /**
   * Empty where no prefix leads to both a first layer and embeddings. Those of the text model's
   * layers, found by structure, are tried after the usual ones.
   *
   * @param has whether there is a tensor of that name, tied ones included
   */
  static Optional<DecoderTensors> find(ModelStructure structure, Predicate<String> has) {
    return find(DecoderNames.PREFIXES, has).or(() -> find(prefixes(structure), has));
  }

  private static Optional<DecoderTensors> find(List<String> prefixes, Predicate<String> has) {
    Optional<String> head = prefixes.stream().map(prefix -> prefix + HEAD).filter(has).findFirst();
    return prefixes.stream()
        .filter(prefix -> has.test(prefix + "layers.0.input_layernorm.weight"))
        .findFirst()
        .flatMap(
            prefix ->
                Stream.concat(Stream.of(prefix + EMBEDDING).filter(has), head.stream())
                    .findFirst()
                    .map(embedding -> new DecoderTensors(prefix, embedding, head)));
  }

  private static List<String> prefixes(ModelStructure structure) {
    Set<String> prefixes = new LinkedHashSet<>(DecoderNames.PREFIXES);
    for (LayerStack stack : structure.layers()) {
      if (stack.start().endsWith(LAYERS)) {
        String prefix = stack.start().substring(0, stack.start().length() - LAYERS.length());
        prefixes.add(prefix);
        prefixes.addAll(Wrapping.beginnings(prefix));
      }
    }
    return List.copyOf(prefixes);
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
