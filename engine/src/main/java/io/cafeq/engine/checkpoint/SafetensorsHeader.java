package io.cafeq.engine.checkpoint;

import java.util.Collections;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The checked header of one safetensors file.
 *
 * @param tensors in the order of their positions; they cover the data without holes or overlaps
 * @param metadata {@code __metadata__}, empty where there is none
 */
record SafetensorsHeader(List<TensorInfo> tensors, SortedMap<String, String> metadata) {
  /** The format's own limit. */
  static final long LARGEST = 100_000_000;

  SafetensorsHeader {
    tensors = List.copyOf(tensors);
    metadata = Collections.unmodifiableSortedMap(new TreeMap<>(metadata));
  }
}
