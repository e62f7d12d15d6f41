package io.cafeq.engine.compare;

import io.cafeq.config.RemoteSettings;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.result.ResultLayout;
import io.cafeq.engine.store.Location;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SortedMap;

/**
 * Tensors of floats, as matrices, however they are stored: a checkpoint, also one that is quantized
 * in a format that this program reads, or a result. Used and closed by one thread.
 */
public interface TensorSet extends AutoCloseable {
  /** Names to the shapes of what the tensors mean; those that are no floats are not among them. */
  SortedMap<String, List<Long>> shapes();

  /**
   * Rows [firstRow, firstRow + target.rows) of a tensor, counted through all its dimensions but the
   * last.
   */
  void read(String name, int firstRow, FloatMatrix target);

  @Override
  void close();

  /** Opens a folder or a remote checkpoint. */
  static TensorSet open(String location, RemoteSettings remote) {
    return Location.parse(location) instanceof Location.Local(Path folder)
            && Files.isRegularFile(new ResultLayout(folder).manifest())
        ? ResultTensors.open(folder)
        : CheckpointTensors.of(Checkpoint.open(location, remote));
  }
}
