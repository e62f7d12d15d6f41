package io.cafeq.engine.plan;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.config.Recipe;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.modelconfig.ModelConfig;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Builds the headers of checkpoints that have no data. */
final class Headers {
  private final ObjectNode config = JsonNodeFactory.instance.objectNode();
  private final List<TensorInfo> tensors = new ArrayList<>();
  private final Map<String, String> aliases = new TreeMap<>();
  private String file = "model.safetensors";
  private long position;

  static Headers of(String modelType) {
    Headers headers = new Headers();
    headers.config.put("model_type", modelType);
    return headers;
  }

  /** The sizes of a decoder. */
  record Geometry(
      int hidden, int intermediate, int heads, int keyValueHeads, int headSize, int vocabulary) {
    static final Geometry SMOLLM2 = new Geometry(576, 1536, 9, 3, 64, 49152);
    static final Geometry TINY = new Geometry(128, 384, 8, 4, 16, 2048);
    static final Geometry LLAMA_8B = new Geometry(4096, 14336, 32, 8, 128, 128256);
  }

  ObjectNode config() {
    return config;
  }

  Headers add(String name, long... shape) {
    return add(name, Dtype.BF16, shape);
  }

  Headers add(String name, Dtype dtype, long... shape) {
    long bytes = Arrays.stream(shape).reduce(1, (a, b) -> a * b) * dtype.bytes();
    tensors.add(
        new TensorInfo(name, dtype, Arrays.stream(shape).boxed().toList(), file, position, bytes));
    position += bytes;
    return this;
  }

  Headers shard(String name) {
    file = name;
    position = 0;
    return this;
  }

  Headers tie(String alias, String stored) {
    aliases.put(alias, stored);
    return this;
  }

  /** One layer, in the alphabetical order in which checkpoints are written. */
  Headers layer(String prefix, int layer, Geometry g) {
    String start = prefix + "layers." + layer + ".";
    add(start + "input_layernorm.weight", g.hidden());
    add(start + "mlp.down_proj.weight", g.hidden(), g.intermediate());
    add(start + "mlp.gate_proj.weight", g.intermediate(), g.hidden());
    add(start + "mlp.up_proj.weight", g.intermediate(), g.hidden());
    add(start + "post_attention_layernorm.weight", g.hidden());
    add(start + "self_attn.k_proj.weight", (long) g.keyValueHeads() * g.headSize(), g.hidden());
    add(start + "self_attn.o_proj.weight", g.hidden(), (long) g.heads() * g.headSize());
    add(start + "self_attn.q_proj.weight", (long) g.heads() * g.headSize(), g.hidden());
    return add(
        start + "self_attn.v_proj.weight", (long) g.keyValueHeads() * g.headSize(), g.hidden());
  }

  Headers embedding(String prefix, Geometry g) {
    return add(prefix + "embed_tokens.weight", g.vocabulary(), g.hidden());
  }

  Headers head(String prefix, Geometry g) {
    return add(prefix + "lm_head.weight", g.vocabulary(), g.hidden());
  }

  Headers norm(String prefix, Geometry g) {
    return add(prefix + "norm.weight", g.hidden());
  }

  /** A whole decoder with one layer and a head of its own. */
  static Headers decoder(String modelType, Geometry g) {
    return of(modelType).head("", g).embedding("model.", g).layer("model.", 0, g).norm("model.", g);
  }

  Plan plan(Recipe recipe) {
    return Planner.plan("MODEL", ModelConfig.of(config), tensors, aliases, recipe);
  }

  /**
   * @param changes key, value, key, value
   */
  Plan plan(String... changes) {
    return plan(recipe(changes));
  }

  static Recipe recipe(String... changes) {
    // Most of these tests are about single matrices and their transforms.
    Map<String, String> map = new TreeMap<>(Map.of("pairs", "false", "column-scales", "false"));
    for (int i = 0; i < changes.length; i += 2) {
      map.put(changes[i], changes[i + 1]);
    }
    return Recipe.of(map);
  }

  /** IDs and descriptions of the quantized units. */
  static Map<String, String> quantized(Plan plan) {
    Map<String, String> units = new TreeMap<>();
    for (Unit unit : plan.units()) {
      if (unit instanceof Unit.Quantized) {
        units.put(unit.id(), UnitEstimate.describe(unit));
      }
    }
    return units;
  }

  static Unit unit(Plan plan, String id) {
    return plan.units().stream().filter(unit -> unit.id().equals(id)).findFirst().orElseThrow();
  }

  static List<String> names(Unit unit) {
    return unit.tensors().stream().map(PlannedTensor::name).toList();
  }
}
