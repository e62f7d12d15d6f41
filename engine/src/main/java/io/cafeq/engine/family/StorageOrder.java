package io.cafeq.engine.family;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Tells from shapes whether matrices are stored as [in, out] rather than [out, in]. Where the
 * shapes of a layer leave it open, as those of square matrices do, it does not guess.
 */
final class StorageOrder {
  private static final String WEIGHT = ".weight";

  private final OptionalLong hidden;

  /**
   * @param hidden channels of the vectors that layers pass on
   */
  StorageOrder(OptionalLong hidden) {
    this.hidden = hidden;
  }

  /**
   * Whether the tensor is stored [in, out] or [experts, in, out]; empty where it cannot be told.
   *
   * @param rest the tensor's name after the layer's number
   * @param layer shapes of the layer's tensors by such names
   * @param agreed what {@link #ofLayer} says of the layer
   */
  Optional<Boolean> isTransposed(
      String rest, Map<String, List<Long>> layer, Optional<Boolean> agreed) {
    List<Long> shape = layer.getOrDefault(rest, List.of());
    return switch (shape.size()) {
      case 2 -> byBias(rest, shape, layer).or(() -> agreed);
      case 3 -> bySide(rest, shape).or(() -> bySiblings(rest, layer));
      default -> Optional.empty();
    };
  }

  /** A bias has an entry for each output. */
  private static Optional<Boolean> byBias(
      String rest, List<Long> shape, Map<String, List<Long>> layer) {
    if (!rest.endsWith(WEIGHT) || shape.get(0).equals(shape.get(1))) {
      return Optional.empty();
    }
    List<Long> bias = layer.get(rest.substring(0, rest.length() - WEIGHT.length()) + ".bias");
    if (bias == null || bias.size() != 1 || !shape.contains(bias.getFirst())) {
      return Optional.empty();
    }
    return Optional.of(bias.getFirst().equals(shape.get(1)));
  }

  /**
   * What all matrices say that are named for their side and are as wide as the layer on one side;
   * they must agree.
   */
  Optional<Boolean> ofLayer(Map<String, List<Long>> layer) {
    int transposed = 0;
    int plain = 0;
    boolean inputs = false;
    boolean outputs = false;
    for (Map.Entry<String, List<Long>> entry : layer.entrySet()) {
      if (entry.getValue().size() != 2) {
        continue;
      }
      Optional<Boolean> says = bySide(entry.getKey(), entry.getValue());
      if (says.isEmpty()) {
        continue;
      }
      inputs |= side(entry.getKey()) == Side.INPUT;
      outputs |= side(entry.getKey()) == Side.OUTPUT;
      if (says.get()) {
        transposed++;
      } else {
        plain++;
      }
    }
    // one name may mislead; a layer stored the other way has matrices of both sides that say so
    return transposed > 0 && plain == 0 && inputs && outputs
        ? Optional.of(true)
        : plain > 0 && transposed == 0 ? Optional.of(false) : Optional.empty();
  }

  private Optional<Boolean> bySiblings(String rest, Map<String, List<Long>> layer) {
    String module = rest.substring(0, rest.lastIndexOf('.') + 1);
    return layer.entrySet().stream()
        .filter(entry -> entry.getValue().size() == 3 && !entry.getKey().equals(rest))
        .filter(entry -> entry.getKey().startsWith(module))
        .flatMap(entry -> bySide(entry.getKey(), entry.getValue()).stream())
        .findFirst();
  }

  /** The last two dimensions, of which one is the layer's width and the other not. */
  private Optional<Boolean> bySide(String rest, List<Long> shape) {
    if (hidden.isEmpty()) {
      return Optional.empty();
    }
    boolean first = shape.get(shape.size() - 2) == hidden.getAsLong();
    boolean last = shape.getLast() == hidden.getAsLong();
    if (first == last) {
      return Optional.empty();
    }
    return switch (side(rest)) {
      case INPUT -> Optional.of(first);
      case OUTPUT -> Optional.of(last);
      case UNKNOWN -> Optional.empty();
    };
  }

  /** Which side of the layer a matrix is on. */
  enum Side {
    INPUT,
    OUTPUT,
    UNKNOWN
  }

  static Side side(String rest) {
    NameWords words = NameWords.of(rest);
    if (words.lastHasAny(LayerWords.INPUTS)) {
      return Side.INPUT;
    }
    return words.lastHasAny(LayerWords.OUTPUTS) ? Side.OUTPUT : Side.UNKNOWN;
  }
}
