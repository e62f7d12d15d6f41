package io.cafeq.engine.estimate;

import io.cafeq.engine.family.StreamNorms;
import java.util.List;
import java.util.stream.Stream;

/**
 * The inputs of one layer, from headers alone.
 *
 * @param inputs by name
 */
record LayerInputs(int number, StreamNorms norms, List<LayerInput> inputs) {
  LayerInputs {
    inputs = List.copyOf(inputs);
  }

  <T extends LayerInput> Stream<T> all(Class<T> type) {
    return inputs.stream().filter(type::isInstance).map(type::cast);
  }
}
