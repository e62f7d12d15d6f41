package io.cafeq.engine.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.store.CheckpointStore;
import io.cafeq.engine.store.StoredFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Recognises files that describe the source's weights and are wrong beside others: how they are
 * quantized, the scales of activations and caches, maps by tensor names, adapters. By name where a
 * tool is known for it, else by content. Files that describe a model too, such as config.json, are
 * not among them: {@link QuantizationKeys} tells their sections.
 */
public final class Descriptions {
  private static final long LARGEST = 1L << 20;
  private static final Pattern ADAPTER =
      Pattern.compile("adapter(_config|_model|s)?\\..*|(q?lora|peft)(_config)?\\.json");
  private static final Pattern MODEL_CONFIG =
      Pattern.compile("(.*[_-])?config\\.json|params\\.json");
  private static final Pattern TOKENIZER =
      Pattern.compile("(tokenizer|vocab|special_tokens|added_tokens|merges|tekken).*");
  private static final Set<String> TEXTUAL =
      Set.of("json", "yaml", "yml", "toml", "csv", "log", "xml", "ini", "cfg");

  /**
   * Words of file names, which are separated by punctuation; a quantizer, of vectors, is a part of
   * some models.
   */
  private static final Set<String> WORDS =
      Set.of(
          "quant",
          "quantize",
          "quantized",
          "quantization",
          "quantisation",
          "gptq",
          "gptqmodel",
          "awq",
          "bnb",
          "bitsandbytes",
          "hqq",
          "autoround",
          "smoothquant",
          "modelopt",
          "imatrix",
          "quanto",
          "nncf",
          "aqlm",
          "exl2",
          "exl3",
          "scale",
          "scales",
          "tensorrt");

  private static final Set<String> NAMES =
      Set.of("recipe.yaml", "recipe.yml", "job_new.json", "measurement.json");
  private static final Set<String> OF_A_MODEL =
      Set.of(
          "model_type",
          "architectures",
          "hidden_size",
          "dim",
          "vocab_size",
          "n_layers",
          "transformers_version",
          "auto_map",
          "_class_name",
          "processor_class",
          "tokenizer_class",
          "image_processor_type",
          "feature_extractor_type");
  private static final Set<String> BITS = Set.of("bits", "w_bit", "wbits", "num_bits");
  private static final Set<String> GROUPS =
      Set.of("group_size", "q_group_size", "groupsize", "desc_act", "sym");
  private static final Pattern TENSOR = Pattern.compile("(.*\\.)?(layers?|h|blocks?)\\.\\d+\\..*");
  private static final Pattern YAML =
      Pattern.compile(
          "(Quantization|GPTQ|AWQ|SmoothQuant|SparseGPT|AutoRound|SpinQuant|QuIP)Modifier|quantization_modifiers|quant_method|(^|\\n"
              + ")\\s*(quantization(_config)?|q_?group_?size|w_?bits?)\\s*:");

  private Descriptions() {}

  /** Why the file stays behind; empty where it describes no weights, or cannot be read. */
  public static Optional<LeftOut.Reason> of(CheckpointStore store, StoredFile file) {
    String name = file.fileName().toLowerCase(Locale.ROOT);
    if (ADAPTER.matcher(name).matches()) {
      return Optional.of(LeftOut.Reason.ADAPTER);
    }
    String extension = name.substring(name.lastIndexOf('.') + 1);
    if (!TEXTUAL.contains(extension)
        || TOKENIZER.matcher(name).matches()
        || name.equals("config.json")) {
      return Optional.empty();
    }
    if (NAMES.contains(name) || Stream.of(name.split("[^a-z0-9]+")).anyMatch(WORDS::contains)) {
      return Optional.of(LeftOut.Reason.QUANTIZATION);
    }
    try {
      if (!file.isFile() || file.size() > LARGEST) {
        return Optional.empty();
      }
      byte[] content = store.read(file.name(), LARGEST);
      return switch (extension) {
        case "json" -> ofJson(JsonMapper.builder().build().readTree(content));
        case "yaml", "yml" ->
            YAML.matcher(new String(content, StandardCharsets.UTF_8)).find()
                ? Optional.of(LeftOut.Reason.QUANTIZATION)
                : Optional.empty();
        default -> Optional.empty();
      };
    } catch (IOException | EngineException noJsonOrUnreadable) {
      return Optional.empty();
    }
  }

  /**
   * Whether a file of that name describes a model, so that sections of it can describe how the
   * weights are stored.
   */
  public static boolean isModelConfig(String fileName) {
    String name = fileName.toLowerCase(Locale.ROOT);
    return MODEL_CONFIG.matcher(name).matches() && !TOKENIZER.matcher(name).matches();
  }

  private static Optional<LeftOut.Reason> ofJson(JsonNode json) {
    if (json.has("weight_map")) {
      return Optional.of(LeftOut.Reason.WEIGHTS);
    }
    if (json.has("peft_type") || json.has("lora_alpha") || json.has("lora_parameters")) {
      return Optional.of(LeftOut.Reason.ADAPTER);
    }
    boolean isOfModel = OF_A_MODEL.stream().anyMatch(json::has);
    boolean describes =
        json.path("kv_cache").has("scaling_factor")
            || json.properties().stream()
                .anyMatch(field -> TENSOR.matcher(field.getKey()).matches())
            || !isOfModel
                && (BITS.stream().anyMatch(json::has) && GROUPS.stream().anyMatch(json::has)
                    || json.has("quant_cfg")
                    || json.properties().stream()
                        .anyMatch(
                            field ->
                                QuantizationKeys.isDescription(field.getKey(), field.getValue())));
    return describes ? Optional.of(LeftOut.Reason.QUANTIZATION) : Optional.empty();
  }
}
