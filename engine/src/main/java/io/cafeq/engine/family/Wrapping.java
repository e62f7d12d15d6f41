package io.cafeq.engine.family;

import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * The prefix of a family's own names in one model, such as {@code model.text_model.} for a Llama.
 *
 * @param prefix with its full stop; empty where nothing does, or what the family's own names allow
 *     for
 */
record Wrapping(String prefix) {
  private static final Wrapping NONE = new Wrapping("");

  /**
   * The shortest beginning of the text model's layers without which they have the family's names.
   *
   * @param stacks the text model's layers
   */
  static Wrapping of(List<LayerStack> stacks, LayerNames names) {
    return stacks.stream()
        .filter(stack -> !names.isStart(stack.start()))
        .flatMap(
            stack ->
                beginnings(stack.start()).stream()
                    .filter(prefix -> names.isStart(stack.start().substring(prefix.length()))))
        .findFirst()
        .map(Wrapping::new)
        .orElse(NONE);
  }

  /** Of one module, of two, and so on. */
  static List<String> beginnings(String modules) {
    return IntStream.range(0, modules.length())
        .filter(i -> modules.charAt(i) == '.')
        .mapToObj(i -> modules.substring(0, i + 1))
        .toList();
  }

  /**
   * The name without what stands before it, or before the first of the modules of that; empty where
   * that changes nothing.
   */
  Optional<String> unwrapped(String name) {
    return beginnings(prefix).reversed().stream()
        .filter(name::startsWith)
        .findFirst()
        .map(beginning -> name.substring(beginning.length()));
  }
}
