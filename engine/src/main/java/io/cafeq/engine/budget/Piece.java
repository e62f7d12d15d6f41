package io.cafeq.engine.budget;

/**
 * A unit to be: a matrix, or several that share an input and may share a transform.
 *
 * @param couldShare whether there is a choice to transform its input together with that of others
 * @param kind pieces of the same kind, in different layers, gain alike from the same transform
 */
record Piece(Matrix matrix, Freedom freedom, boolean couldShare, Kind kind) {
  static Piece of(Matrix matrix, Freedom freedom, boolean couldShare) {
    String roles = String.join("+", matrix.tensors().stream().map(tensor -> tensor.role().text()).toList());
    return new Piece(matrix, freedom, couldShare, new Kind(roles, matrix.rows(), matrix.columns(), freedom));
  }

  boolean isShared() {
    return matrix.tensors().size() > 1;
  }

  record Kind(String roles, int rows, int columns, Freedom freedom) {}
}
