package io.cafeq.engine.plan;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.engine.checkpoint.TensorInfo;
import java.util.List;
import java.util.Map;

/** A model whose names nobody has looked at: no matrix is taken for one to quantize, and none for one that shares. */
record UnknownFamily() implements ModelFamily {
  @Override
  public String name() {
    return "unknown";
  }

  @Override
  public boolean accepts(String modelType) {
    return true;
  }

  @Override
  public Place place(String tensorName) {
    return Place.of(CommonNames.role(tensorName).orElse(Role.OTHER));
  }

  @Override
  public Couplings couplings(JsonNode config, Map<String, TensorInfo> tensors) {
    return new Couplings(List.of(), List.of("No layer has pairs: the model's family is not known."));
  }
}
