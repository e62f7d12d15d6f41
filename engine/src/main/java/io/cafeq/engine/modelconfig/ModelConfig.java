package io.cafeq.engine.modelconfig;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** config.json of a model. Immutable. */
public final class ModelConfig {
  private static final Set<String> LAYER_COUNTS =
      Set.of("num_hidden_layers", "num_layers", "n_layer", "n_layers");
  private static final int DEEPEST = 4;

  private final JsonNode json;
  private final TextConfig text;

  private ModelConfig(JsonNode json) {
    this.json = json;
    this.text = TextConfig.of(json);
  }

  /** Copies the file's tree; what is no object says nothing. */
  public static ModelConfig of(JsonNode json) {
    return new ModelConfig(
        json.isObject() ? json.deepCopy() : JsonNodeFactory.instance.objectNode());
  }

  /** A copy of the file's tree, for what describes something else than the model. */
  public JsonNode json() {
    return json.deepCopy();
  }

  /** What it says of the text model. */
  public TextConfig text() {
    return text;
  }

  /** What it calls the model, for messages. */
  public Optional<String> modelType() {
    return text.modelTypes().stream().findFirst();
  }

  /**
   * Objects in which a file may describe the model or how it is stored: the whole, the text model's
   * own section, and every section called a configuration.
   */
  public List<JsonNode> sections() {
    List<JsonNode> sections = new ArrayList<>(List.of(json, own()));
    json.properties().stream()
        .filter(entry -> entry.getKey().endsWith("_config"))
        .forEach(entry -> sections.add(entry.getValue()));
    return sections;
  }

  private JsonNode own() {
    JsonNode section = json;
    if (!text.section().isEmpty()) {
      for (String key : text.section().split("\\.")) {
        section = section.path(key);
      }
    }
    return section;
  }

  /** The most layers that any part of the model counts; 0 where none counts. */
  public int mostLayers() {
    return mostLayers(json, 0);
  }

  private static int mostLayers(JsonNode section, int depth) {
    int most = 0;
    for (Map.Entry<String, JsonNode> entry : section.properties()) {
      JsonNode value = entry.getValue();
      if (LAYER_COUNTS.contains(entry.getKey()) && value.isInt()) {
        most = Math.max(most, value.intValue());
      } else if (value.isObject() && depth < DEEPEST) {
        most = Math.max(most, mostLayers(value, depth + 1));
      }
    }
    return most;
  }

  /** Whether any part of the model has a head that is tied to its embeddings. */
  public boolean isTied() {
    return isTied(json, 0);
  }

  private static boolean isTied(JsonNode section, int depth) {
    return section.path(TextConfig.TIED).asBoolean(false)
        || depth < DEEPEST
            && section.properties().stream()
                .anyMatch(
                    entry -> entry.getValue().isObject() && isTied(entry.getValue(), depth + 1));
  }
}
