package io.cafeq.engine.family;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.SortedMap;

/**
 * The text model's layers by the names of their tensors: what else is in a layer, and how it is
 * stored. Immutable.
 */
final class LayerShapes {
  private final Map<String, LayerStack> stacks = new HashMap<>();
  private final Map<String, Optional<Boolean>> transposed = new HashMap<>();
  private final StorageOrder order;

  /**
   * @param hidden channels of the vectors that layers pass on
   */
  LayerShapes(List<LayerStack> stacks, OptionalLong hidden) {
    this.order = new StorageOrder(hidden);
    for (LayerStack stack : stacks) {
      this.stacks.put(stack.start(), stack);
      stack
          .layers()
          .forEach(
              (number, layer) ->
                  transposed.put(stack.start() + number + ".", order.ofLayer(layer)));
    }
  }

  /**
   * A tensor in its layer.
   *
   * @param prefix the name up to and with the layer's number and a full stop
   * @param rest what follows
   * @param layer shapes of the layer's tensors by such names
   */
  record InLayer(String prefix, int number, String rest, Map<String, List<Long>> layer) {
    List<Long> shape() {
      return layer.getOrDefault(rest, List.of());
    }
  }

  /** What follows a layer's prefix in the names of its tensors. */
  Set<String> names(String prefix) {
    return LayerStack.locate(prefix + "x")
        .map(
            found ->
                stacks.get(found.start()) == null
                    ? null
                    : stacks.get(found.start()).layers().get(found.number()))
        .map(Map::keySet)
        .orElse(Set.of());
  }

  /** Empty for what is in none of the layers, and for names that no tensor has. */
  Optional<InLayer> find(String tensorName) {
    return LayerStack.locate(tensorName)
        .flatMap(
            found -> {
              LayerStack stack = stacks.get(found.start());
              SortedMap<String, List<Long>> layer =
                  stack == null ? null : stack.layers().get(found.number());
              return layer == null || !layer.containsKey(found.rest())
                  ? Optional.empty()
                  : Optional.of(
                      new InLayer(
                          found.start() + found.number() + ".",
                          found.number(),
                          found.rest(),
                          layer));
            });
  }

  /**
   * Whether a tensor is stored as [in, out], or as a stack of such matrices.
   *
   * @param usual the answer where shapes do not tell
   */
  boolean isTransposed(String tensorName, boolean usual) {
    return find(tensorName)
        .flatMap(
            at ->
                order.isTransposed(
                    at.rest(), at.layer(), transposed.getOrDefault(at.prefix(), Optional.empty())))
        .orElse(usual);
  }
}
