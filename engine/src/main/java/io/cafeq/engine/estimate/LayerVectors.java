package io.cafeq.engine.estimate;

import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;

/**
 * What the first pass gathered of a layer; what it does not have is missing. Floats, so that what
 * was read from a file is what was gathered.
 *
 * @param vectors each as long as the stream is wide; not to be changed
 */
public record LayerVectors(Map<StreamVector, float[]> vectors) {
  public LayerVectors {
    EnumMap<StreamVector, float[]> copy = new EnumMap<>(StreamVector.class);
    copy.putAll(vectors);
    vectors = copy;
  }

  Optional<double[]> get(StreamVector vector) {
    return Optional.ofNullable(vectors.get(vector)).map(Logs::doubles);
  }
}
