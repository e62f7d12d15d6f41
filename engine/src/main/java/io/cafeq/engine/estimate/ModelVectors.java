package io.cafeq.engine.estimate;

import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What the first pass gathered of a model: vectors only, some ten times the stream's width per
 * layer.
 *
 * @param embedding mean over tokens of e^2 / mean(e^2), tokens by how often they may come; empty
 *     where there is no embedding as wide as the stream
 */
public record ModelVectors(Optional<float[]> embedding, SortedMap<Integer, LayerVectors> layers) {
  public ModelVectors {
    layers = new TreeMap<>(layers);
  }
}
