package io.cafeq.engine.family;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.statistics.MatrixInput;
import java.util.Optional;
import java.util.OptionalInt;

/** Which matrices of a model read which inputs, as far as its family's names tell. */
public final class MatrixInputs {
  private static final String WEIGHT = ".weight";

  private final ModelFamily family;

  MatrixInputs(ModelFamily family) {
    this.family = family;
  }

  /** Of a checkpoint's tensors. */
  public static MatrixInputs of(Checkpoint checkpoint) {
    return ModelDescription.of(checkpoint).inputs();
  }

  /** The layer of a tensor, from 0; empty for what is in no layer that the model uses. */
  public OptionalInt layer(String tensorName) {
    return family.layer(tensorName);
  }

  /**
   * What a matrix reads; empty where the family does not know it.
   *
   * @param expert of a stack of matrices; without meaning for single ones
   */
  public Optional<MatrixInput> of(WeightTensor weight, int expert) {
    return of(
        weight.name(),
        weight.columns(),
        weight.isStack() ? OptionalInt.of(expert) : OptionalInt.empty());
  }

  /**
   * What a single matrix reads; empty where the family does not know it.
   *
   * @param columns of the matrix
   */
  public Optional<MatrixInput> of(String matrix, int columns) {
    return of(matrix, columns, OptionalInt.empty());
  }

  private Optional<MatrixInput> of(String tensor, int columns, OptionalInt ofStack) {
    ModelFamily.Place place = family.place(tensor);
    if (!place.role().isLinear() || place.role() == Role.MATRIX || family.layer(tensor).isEmpty()) {
      return Optional.empty();
    }
    boolean shared = place.input().isPresent();
    return Optional.of(
        place
            .experts()
            .map(experts -> ofExpert(tensor, columns, experts, shared, ofStack))
            .orElseGet(
                () -> new MatrixInput(place.input().orElse(tensor), columns, Optional.empty())));
  }

  /**
   * The tensor's name has the expert's number after what all experts have in common, unless they
   * are stacked; inputs of stacked ones are called as they would be one by one.
   */
  private static MatrixInput ofExpert(
      String tensor, int columns, String experts, boolean shared, OptionalInt ofStack) {
    String rest = tensor.substring(Math.min(tensor.length(), experts.length() + 1));
    int dot = rest.indexOf('.');
    boolean numbered = ofStack.isEmpty() && dot > 0;
    String number = numbered ? rest.substring(0, dot) : Integer.toString(ofStack.orElse(0));
    String own = numbered ? rest.substring(dot + 1) : rest.endsWith(WEIGHT) ? rest : rest + WEIGHT;
    String matrix = shared ? "" : "." + own;
    return new MatrixInput(
        experts + "." + number + matrix, columns, Optional.of(experts + matrix), shared);
  }
}
