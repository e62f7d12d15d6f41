package io.cafeq.engine.family;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.modelconfig.ModelConfig;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** What a family couples, for tests outside the package. */
public final class CouplingsBridge {
  private CouplingsBridge() {}

  public static List<Coupling> legal(JsonNode config, Map<String, TensorInfo> tensors) {
    return ModelDescription.of(ModelConfig.of(config), CouplingsBridge.shapes(tensors))
        .family()
        .couplings(tensors)
        .legal();
  }

  public static List<String> refused(JsonNode config, Map<String, TensorInfo> tensors) {
    return ModelDescription.of(ModelConfig.of(config), CouplingsBridge.shapes(tensors))
        .family()
        .couplings(tensors)
        .refused();
  }

  static Map<String, List<Long>> shapes(Map<String, TensorInfo> tensors) {
    Map<String, List<Long>> shapes = new TreeMap<>();
    tensors.forEach((name, info) -> shapes.put(name, info.shape()));
    return shapes;
  }
}
