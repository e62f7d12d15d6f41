package io.cafeq.engine.family;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.statistics.MatrixInput;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/** Which matrices of a model read which inputs, as far as its family's names tell. */
public final class MatrixInputs {
  private static final String WEIGHT = ".weight";

  private final ModelFamily family;

  private MatrixInputs(ModelFamily family) {
    this.family = family;
  }

  /**
   * @param shapes as in {@link Families#of}
   */
  public static MatrixInputs of(JsonNode config, Map<String, List<Long>> shapes) {
    return new MatrixInputs(Families.of(config, shapes));
  }

  /** Of a checkpoint's tensors. */
  public static MatrixInputs of(Checkpoint checkpoint) {
    return of(checkpoint.config(), checkpoint.weights().shapes());
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
    ModelFamily.Place place = family.place(weight.name());
    if (!place.role().isLinear()
        || place.role() == Role.MATRIX
        || family.layer(weight.name()).isEmpty()) {
      return Optional.empty();
    }
    return Optional.of(
        place
            .experts()
            .map(experts -> ofExpert(weight, experts, place.input().isPresent(), expert))
            .orElseGet(
                () ->
                    new MatrixInput(
                        place.input().orElse(weight.name()), weight.columns(), Optional.empty())));
  }

  /**
   * The tensor's name has the expert's number after what all experts have in common, unless they
   * are stacked; inputs of stacked ones are called as they would be one by one.
   */
  private static MatrixInput ofExpert(
      WeightTensor weight, String experts, boolean shared, int expert) {
    String rest = weight.name().substring(Math.min(weight.name().length(), experts.length() + 1));
    int dot = rest.indexOf('.');
    boolean numbered = !weight.isStack() && dot > 0;
    String number = numbered ? rest.substring(0, dot) : Integer.toString(expert);
    String own = numbered ? rest.substring(dot + 1) : rest.endsWith(WEIGHT) ? rest : rest + WEIGHT;
    String matrix = shared ? "" : "." + own;
    return new MatrixInput(
        experts + "." + number + matrix, weight.columns(), Optional.of(experts + matrix));
  }
}
