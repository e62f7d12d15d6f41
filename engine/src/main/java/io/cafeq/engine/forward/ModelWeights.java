package io.cafeq.engine.forward;

import io.cafeq.engine.family.ModelDescription;
import io.cafeq.engine.memory.FloatMatrix;

/**
 * The weights of a model as a forward pass reads them. Owned by whoever made it; not thread-safe.
 * Tied tensors are found by either name. Methods that ask for a tensor throw an {@link
 * io.cafeq.engine.failure.EngineException} that names it where it is missing or is not what the
 * method is for.
 */
public interface ModelWeights extends AutoCloseable {
  /** What config.json, names and shapes say of the model. */
  ModelDescription model();

  boolean has(String tensor);

  /** The name under which a tensor is stored: another one for a tied tensor. */
  String stored(String tensor);

  /** Output channels of a matrix [out, in]. */
  int rows(String tensor);

  /** Input channels of a matrix [out, in]. */
  int columns(String tensor);

  /**
   * Whole rows of a matrix as the model uses them.
   *
   * @param to [rows, columns of the matrix], filled with the rows from {@code firstRow} on
   */
  void read(String tensor, int firstRow, FloatMatrix to);

  /**
   * The entries of a vector: a norm's weights, a bias.
   *
   * @param length what the model's shape leads to expect; another one is refused before memory is
   *     taken for it
   */
  float[] vector(String tensor, int length);

  @Override
  void close();
}
