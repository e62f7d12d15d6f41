package io.cafeq.engine.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.store.CheckpointStore;
import io.cafeq.engine.text.VisibleText;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Small sets of weights that training put beside a model: LoRA and its kin. Alone they are no
 * model.
 */
final class Adapter {
  static final String CONFIG = "adapter_config.json";

  private static final Pattern FILE =
      Pattern.compile("(adapter_model|adapters|pytorch_lora_weights)\\b.*\\.(safetensors|bin|npz)");

  /** What peft, its forerunners and MLX call the tensors of adapters. */
  private static final Pattern TENSOR =
      Pattern.compile(
          "(.*[._])?(lora_\\w+|lora\\.(down|up)|ia3_l|vera_lambda_[bd]|hada_[wt]\\w+|lokr_[wt]\\w+|oft_[rR]|oft_blocks|"
              + "boft_[RS]|hra_u|fourierft_spectrum|randlora_\\w+|bone_\\w+|miss_\\w+|shira_\\w+|c3a_\\w+|road_\\w+|"
              + "prompt_embeddings|prompt_encoder|adaption_prompt|adaption_gate|trainable_tokens_\\w+)([._].*)?");

  /** What peft puts before the names of all tensors that were trained, whole modules too. */
  private static final String WRAPPER = "base_model.model.";

  /** Those that act beside the weights, so that no weights could take them in. */
  private static final Set<String> UNMERGEABLE =
      Set.of(
          "prompt_tuning",
          "multitask_prompt_tuning",
          "p_tuning",
          "prefix_tuning",
          "adaption_prompt",
          "cpt",
          "xlora");

  private Adapter() {}

  static boolean isWeights(String fileName) {
    return FILE.matcher(fileName).matches();
  }

  /** Whether tensors are an adapter's and nothing else. */
  static boolean isAll(List<TensorInfo> tensors) {
    return tensors.stream().anyMatch(tensor -> TENSOR.matcher(tensor.name()).matches())
        && tensors.stream()
            .allMatch(
                tensor ->
                    tensor.name().startsWith(WRAPPER) || TENSOR.matcher(tensor.name()).matches());
  }

  /**
   * @param place the folder, or a file in it
   */
  static CheckpointException refusal(String place, CheckpointStore store) {
    JsonNode config = config(store);
    String kind = config.path("peft_type").asText(config.path("fine_tune_type").asText(""));
    String base = config.path("base_model_name_or_path").asText("");
    return new CheckpointException(
        place
            + ": is an adapter"
            + (kind.isEmpty() ? "" : " (" + VisibleText.shortened(kind) + ")")
            + (base.isEmpty() ? "" : " for the model " + VisibleText.quoted(base))
            + ", not a model",
        UNMERGEABLE.contains(kind.toLowerCase(Locale.ROOT))
            ? "Quantize its base model instead: an adapter of this kind cannot be merged, and is"
                + " used beside the model."
            : "Merge it into its base model first (in peft: merge_and_unload, then"
                + " save_pretrained), and give the merged model's folder.");
  }

  private static JsonNode config(CheckpointStore store) {
    try {
      return JsonFile.read(store, CONFIG);
    } catch (EngineException unreadable) {
      // That it is an adapter is known without; only the sentence says less.
      return MissingNode.getInstance();
    }
  }
}
