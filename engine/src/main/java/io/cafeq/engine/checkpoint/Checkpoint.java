package io.cafeq.engine.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.engine.compute.FloatMatrix;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.SortedMap;

/** A checkpoint folder (or a single safetensors file) whose headers are all known to be sound. Thread-safe. */
public final class Checkpoint implements AutoCloseable {
  /** Checks every header and every length; opens no tensor data. */
  public static Checkpoint open(Path path) {
    throw new UnsupportedOperationException();
  }

  /** The folder, real path. */
  public Path folder() {
    throw new UnsupportedOperationException();
  }

  /** All tensors in disk order: by shard file name, then by position. */
  public List<TensorInfo> tensors() {
    throw new UnsupportedOperationException();
  }

  /** Tied tensors: alias name to the name of the stored tensor. */
  public SortedMap<String, String> aliases() {
    throw new UnsupportedOperationException();
  }

  /** config.json, or an empty object. */
  public JsonNode config() {
    throw new UnsupportedOperationException();
  }

  /** Shard files in order. */
  public List<Path> shards() {
    throw new UnsupportedOperationException();
  }

  /** Small files that go along byte for byte. */
  public List<Path> sideFiles() {
    throw new UnsupportedOperationException();
  }

  /** Files and folders that do not go along. */
  public List<Path> leftOut() {
    throw new UnsupportedOperationException();
  }

  /** Fills {@code target} with the tensor's bytes from {@code offset} (relative to the tensor) on, by positioned reads. */
  public void read(TensorInfo tensor, long offset, MemorySegment target) {
    throw new UnsupportedOperationException();
  }

  /**
   * The rectangle [firstRow, firstRow + target.rows) x [firstColumn, firstColumn + target.columns) of a weight matrix as
   * floats. NaN and infinite weights are an error that names tensor, row and column.
   */
  public void readFloats(TensorInfo tensor, int firstRow, int firstColumn, FloatMatrix target) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void close() {}
}
