package io.cafeq.engine.checkpoint;

import static io.cafeq.engine.checkpoint.RawSafetensors.entry;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Folders that are no checkpoint are called what they are, and what the remedy says can be done.
 */
class FolderKindTest {
  private static final String ONE = "{" + entry("w", "U8", "[1]", 0, 1) + "}";
  private static final String CONFIG = "{\"model_type\": \"llama\"}";

  @TempDir private Path folder;

  private void file(String name, String text) throws IOException {
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }

  private void model(String below, String weights) throws IOException {
    file(below + "/config.json", CONFIG);
    RawSafetensors.write(folder.resolve(below), weights, ONE, new byte[1]);
  }

  private void adapter(String file, String... tensors) throws IOException {
    StringBuilder header = new StringBuilder();
    for (int i = 0; i < tensors.length; i++) {
      header.append(i == 0 ? "{" : ",").append(entry(tensors[i], "U8", "[1]", i, i + 1));
    }
    RawSafetensors.write(folder, file, header.append("}").toString(), new byte[tensors.length]);
  }

  private CheckpointException refusal(Path path) {
    CheckpointException refused =
        catchThrowableOfType(CheckpointException.class, () -> Checkpoint.open(path).close());
    assertThat(refused).as("a refusal").isNotNull();
    assertThat(refused.remedy()).isNotBlank();
    return refused;
  }

  private void assertGoesOn(String below) {
    try (Checkpoint checkpoint = Checkpoint.open(folder.resolve(below))) {
      assertThat(checkpoint.tensors()).hasSize(1);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "LORA, Merge",
    "IA3, Merge",
    "LOHA, Merge",
    "PROMPT_TUNING, Quantize its base model",
    "PREFIX_TUNING, Quantize its base model"
  })
  void anAdapterAlone(String kind, String remedy) throws IOException {
    file(
        "adapter_config.json",
        "{\"peft_type\": \"" + kind + "\", \"base_model_name_or_path\": \"some/\\u001bbase\"}");
    adapter(
        "adapter_model.safetensors",
        "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight");
    CheckpointException refused = refusal(folder);
    assertThat(refused)
        .hasMessageContaining(
            "is an adapter (" + kind + ") for the model \"some/\\u001bbase\", not a model");
    assertThat(refused.remedy()).startsWith(remedy);
  }

  @Test
  void anAdapterOfOlderForm() throws IOException {
    file("adapter_config.json", "{}");
    file("adapter_model.bin", "x");
    file("tokenizer.json", "{}");
    assertThat(refusal(folder)).hasMessageContaining("is an adapter, not a model");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "base_model.model.model.layers.0.mlp.up_proj.lora_B.weight",
        "base_model.model.model.layers.0.mlp.down_proj.ia3_l",
        "prompt_embeddings",
        "model.layers.0.self_attn.q_proj.lora_a",
        "unet.down_blocks.0.attentions.0.to_q.lora.down.weight",
        "unet.mid_block.processor.to_k_lora.up.weight",
        "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight",
        "base_model.model.layers.0.attn.hada_w1_a"
      })
  void anAdapterByItsTensors(String tensor) throws IOException {
    adapter("model.safetensors", tensor);
    assertThat(refusal(folder)).hasMessageContaining("is an adapter");
    Path renamed =
        Files.move(folder.resolve("model.safetensors"), folder.resolve("trained.safetensors"));
    assertThat(refusal(renamed)).hasMessageContaining("trained.safetensors: is an adapter");
  }

  @Test
  void wholeModulesThatWereTrainedBesideDoNotMakeItAModel() throws IOException {
    adapter(
        "adapter_model.safetensors",
        "base_model.model.layers.0.q.lora_A.weight",
        "base_model.model.lm_head.weight");
    assertThat(refusal(folder)).hasMessageContaining("is an adapter");
  }

  @ParameterizedTest
  @ValueSource(strings = {"model.safetensors", "weights.safetensors"})
  void anAdapterBesideItsModelIsNoMatter(String weights) throws IOException {
    model(".", weights);
    file("adapter_config.json", "{\"peft_type\": \"LORA\"}");
    adapter("adapter_model.safetensors", "base_model.model.layers.0.q.lora_A.weight");
    assertGoesOn(".");
  }

  @Test
  void aModelWithSomeTensorsOfAnAdapterIsAModel() throws IOException {
    adapter("model.safetensors", "model.layers.0.q.weight", "model.layers.0.q.lora_A.weight");
    Checkpoint.open(folder).close();
  }

  @Test
  void aResult() throws IOException {
    file("config.json", CONFIG);
    file("manifest.json", "{}");
    file("units/layer-0.arrow", "x");
    CheckpointException refused = refusal(folder);
    assertThat(refused).hasMessageContaining("is a result of cafeq");
    assertThat(refused.remedy())
        .contains("cafeq export", folder.toRealPath().toString(), "--format dense");
    Files.delete(folder.resolve("manifest.json"));
    file(".cafeq/identity.json", "{}");
    assertThat(refusal(folder)).hasMessageContaining("is an unfinished result of cafeq");
  }

  @Test
  void aPipelineOfDiffusers() throws IOException {
    file("model_index.json", "{\"_class_name\": \"FluxPipeline\"}");
    model("vae", "diffusion_pytorch_model.safetensors");
    file("transformer/config.json", "{\"_class_name\": \"FluxTransformer2DModel\"}");
    RawSafetensors.write(folder.resolve("transformer"), "model.safetensors", ONE, new byte[1]);
    assertThat(refusal(folder).remedy()).startsWith("No step helps");
    model("text_encoder", "model.safetensors");
    CheckpointException refused = refusal(folder);
    assertThat(refused).hasMessageContaining("pipeline of diffusers");
    assertThat(refused.remedy()).contains(folder.toRealPath().resolve("text_encoder").toString());
    assertGoesOn("text_encoder");
  }

  @Test
  void aSentenceTransformerWithItsModelInAFolder() throws IOException {
    file("modules.json", "[{\"idx\": 0, \"path\": \"0_Transformer\"}]");
    file("2_Dense/config.json", "{\"in_features\": 4}");
    RawSafetensors.write(folder.resolve("2_Dense"), "model.safetensors", ONE, new byte[1]);
    assertThat(refusal(folder).remedy()).startsWith("Convert");
    model("0_Transformer", "model.safetensors");
    CheckpointException refused = refusal(folder);
    assertThat(refused).hasMessageContaining("sentence-transformers");
    assertThat(refused.remedy()).contains("0_Transformer");
    assertGoesOn("0_Transformer");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "consolidated.00.pth",
        "consolidated.safetensors",
        "consolidated-00001-of-00002.safetensors"
      })
  void aModelInItsMakersForm(String weights) throws IOException {
    file("params.json", "{}");
    file("tokenizer.model", "x");
    file(weights, "x");
    assertThat(refusal(folder)).hasMessageContaining("its maker's own form");
    model(".", "model.safetensors");
    assertGoesOn(".");
  }

  @Test
  void aModelInAFolderBelow() throws IOException {
    file("refs/main", "abc");
    model("snapshots/abc", "model.safetensors");
    CheckpointException refused = refusal(folder);
    assertThat(refused)
        .hasMessageContaining(folder.toRealPath().resolve("snapshots/abc").toString());
    assertThat(refused.remedy()).isEqualTo("Give that folder instead.");
    assertGoesOn("snapshots/abc");
  }

  @Test
  void anIndexOfAnotherNameMayBeRenamed() throws IOException {
    RawSafetensors.write(folder, "diffusion-00001-of-00002.safetensors", ONE, new byte[1]);
    RawSafetensors.write(
        folder,
        "diffusion-00002-of-00002.safetensors",
        "{" + entry("v", "U8", "[1]", 0, 1) + "}",
        new byte[1]);
    file(
        "diffusion.safetensors.index.json",
        "{\"weight_map\": {\"w\": \"diffusion-00001-of-00002.safetensors\","
            + " \"v\": \"diffusion-00002-of-00002.safetensors\"}}");
    assertThat(refusal(folder).remedy())
        .startsWith("Rename diffusion.safetensors.index.json to " + CheckpointFiles.INDEX);
    Files.move(
        folder.resolve("diffusion.safetensors.index.json"), folder.resolve(CheckpointFiles.INDEX));
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.tensors()).hasSize(2);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "pytorch_model.bin, save_pretrained",
    "model.gguf, original",
    "model.onnx, exported from",
    "tf_model.h5, from_tf",
    "flax_model.msgpack, from_flax",
    "weights.npz, Hugging Face form"
  })
  void weightsOfOtherFormats(String name, String remedy) throws IOException {
    file("config.json", CONFIG);
    file(name, "x");
    CheckpointException refused = refusal(folder);
    assertThat(refused).hasMessageContaining("only weights of other formats: " + name);
    assertThat(refused.remedy()).contains(remedy);
    assertThat(refusal(folder.resolve(name)).remedy()).contains(remedy);
  }
}
