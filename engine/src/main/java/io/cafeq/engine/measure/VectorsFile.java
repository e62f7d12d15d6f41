package io.cafeq.engine.measure;

import io.cafeq.engine.estimate.LayerVectors;
import io.cafeq.engine.estimate.ModelLayout;
import io.cafeq.engine.estimate.ModelVectors;
import io.cafeq.engine.estimate.StreamVector;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * {@code statistics/vectors.safetensors}: what the first pass of an estimate gathered, so that a
 * resume does not gather it again. A {@link MomentFile}, for sums of squares of columns or rows are
 * diagonals: {@code embedding#diagonal}, and of layer 3 {@code 3.values#diagonal} and so on.
 */
final class VectorsFile {
  private static final Logger LOG = LoggerFactory.getLogger(VectorsFile.class);
  private static final String EMBEDDING = "embedding";

  private VectorsFile() {}

  static void write(Path file, MomentFile.Origin origin, ModelVectors vectors, StopFlag stop) {
    SortedMap<String, float[]> entries = new TreeMap<>();
    vectors.embedding().ifPresent(embedding -> entries.put(EMBEDDING, embedding));
    vectors
        .layers()
        .forEach(
            (number, layer) ->
                layer
                    .vectors()
                    .forEach((vector, values) -> entries.put(name(number, vector), values)));
    MomentFile.writeDiagonals(file, origin, entries, stop);
  }

  /**
   * Reads what was written with the same origin; empty where the file is of another, or damaged.
   */
  static Optional<ModelVectors> read(
      Path file, MomentFile.Origin origin, ModelLayout layout, StopFlag stop) {
    try (MomentReader reader = MomentReader.open(file)) {
      reader.requireIntact(stop);
      return reader.origin().equals(origin)
          ? Optional.of(vectors(reader)).filter(layout::fits)
          : Optional.empty();
    } catch (EngineException e) {
      if (e.kind() != FailureKind.RESULT) {
        throw e;
      }
      LOG.warn("Redoing {}: {}", file, e.getMessage());
      return Optional.empty();
    }
  }

  private static ModelVectors vectors(MomentReader reader) {
    SortedMap<Integer, Map<StreamVector, float[]>> layers = new TreeMap<>();
    for (String name : reader.diagonals()) {
      for (StreamVector vector : StreamVector.values()) {
        String end = "." + vector.text();
        if (name.endsWith(end)) {
          int number = Integer.parseInt(name.substring(0, name.length() - end.length()));
          layers
              .computeIfAbsent(number, first -> new EnumMap<>(StreamVector.class))
              .put(vector, reader.diagonal(name).orElseThrow());
        }
      }
    }
    SortedMap<Integer, LayerVectors> byLayer = new TreeMap<>();
    layers.forEach((number, vectors) -> byLayer.put(number, new LayerVectors(vectors)));
    return new ModelVectors(reader.diagonal(EMBEDDING), byLayer);
  }

  private static String name(int layer, StreamVector vector) {
    return layer + "." + vector.text();
  }
}
