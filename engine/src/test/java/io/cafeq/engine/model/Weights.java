package io.cafeq.engine.model;

import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The tensors of a model by name, none packed: 8-bit and 4-bit floats have been multiplied by their
 * scales.
 */
public record Weights(SortedMap<String, DoubleTensor> tensors) {
  public Weights {
    tensors = Collections.unmodifiableSortedMap(new TreeMap<>(tensors));
  }

  public boolean has(String name) {
    return tensors.containsKey(name);
  }

  public Optional<DoubleTensor> find(String name) {
    return Optional.ofNullable(tensors.get(name));
  }

  public DoubleTensor get(String name) {
    return find(name)
        .orElseThrow(() -> new IllegalArgumentException("the model has no tensor " + name));
  }

  /** The values of a vector. */
  public double[] vector(String name) {
    return get(name).values();
  }

  /** These tensors with some replaced. */
  public Weights with(Map<String, DoubleTensor> replaced) {
    SortedMap<String, DoubleTensor> all = new TreeMap<>(tensors);
    all.putAll(replaced);
    return new Weights(all);
  }

  /** What stands before a name's ending in the only tensor that has it, or in the first one. */
  public String prefixOf(String ending) {
    return tensors.keySet().stream()
        .filter(name -> name.endsWith(ending))
        .findFirst()
        .map(name -> name.substring(0, name.length() - ending.length()))
        .orElseThrow(() -> new IllegalArgumentException("no tensor's name ends with " + ending));
  }
}
