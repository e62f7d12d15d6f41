package io.cafeq.engine.checkpoint;

import static io.cafeq.engine.checkpoint.RawSafetensors.entry;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Files beside weights that are true of these weights alone, and those that are true of any. */
class DescribingFilesTest {
  @TempDir Path folder;

  @BeforeEach
  void writeWeights() throws IOException {
    RawSafetensors.write(
        folder, "model.safetensors", "{" + entry("w", "U8", "[1]", 0, 1) + "}", new byte[1]);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "quantize_config.json", "quant_config.json", "hf_quant_config.json",
            "quantization_config.json", "recipe.yaml",
        "quant_model_description_w8a8.json", "kv_cache_scales.json", "act_scales.json",
            "model_awq.yaml", "quant_log.csv",
        "quanto_qmap.json", "modelopt.json", "bitsandbytes_config.json", "sub/Quantize_Config.JSON"
      })
  void descriptionsOfQuantizationStayBehindByName(String name) throws IOException {
    assertThat(reason(name, "{}")).contains(LeftOut.Reason.QUANTIZATION);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '#',
      value = {
        "a.json | {'quant_method': 'gptq'}",
        "a.json | {'bits': 4, 'group_size': 128, 'sym': true}",
        "a.json | {'producer': {'name': 'x'}, 'quantization': {'quant_algo': 'FP8',"
            + " 'kv_cache_quant_algo': 'FP8'}}",
        "a.json | {'model_type': 'llama', 'kv_cache': {'dtype': 'fp8', 'scaling_factor': {'0':"
            + " {'0': 0.1}}}}",
        "a.json | {'model.layers.0.mlp.up_proj': {'weights': 'qint8'}}",
        "a.json | {'compression_config': {}}",
        "a.yaml | quant_stage: {quant_modifiers: {GPTQModifier: {scheme: W4A16}}}",
        "a.yml | q_group_size: 128"
      })
  void descriptionsOfQuantizationStayBehindByContent(String name, String content)
      throws IOException {
    assertThat(reason(name, content.replace('\'', '"'))).contains(LeftOut.Reason.QUANTIZATION);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '#',
      value = {
        "adapter_config.json | {}",
        "adapter_model.txt | x",
        "adapters.json | {}",
        "b.json | {'peft_type': 'LORA'}",
        "c.json | {'lora_parameters': {'rank': 8}}"
      })
  void adaptersStayBehind(String name, String content) throws IOException {
    assertThat(reason(name, content.replace('\'', '"'))).contains(LeftOut.Reason.ADAPTER);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "adapter_model.safetensors",
        "model.gguf",
        "model.gguf.part1of2",
        "model-q4.gguf-split-a.gguf",
        "weights.npz",
        "model.onnx",
        "model.onnx_data",
        "model.onnx.data",
        "model.q4.bin",
        "openvino_model.xml",
        "openvino_config.json",
        "flax_model.msgpack",
        "tf_model.h5",
        "tf_model.h5.index.json",
        "model.tflite",
        "imatrix.dat",
        "x-imatrix.json",
        "model.safetensors.index.fp16.json",
        "consolidated.00.pth",
        "model.ckpt-100.data-00000-of-00001",
        "model.mlmodel",
        "ndarray-cache.json",
        "params_shard_0.bin",
        "model.safetensors.bak",
        "model.safetensors.incomplete",
        "rank0.engine"
      })
  void otherWeightsStayBehindByName(String name) throws IOException {
    assertThat(reason(name, "{}")).contains(LeftOut.Reason.WEIGHTS);
  }

  @Test
  void otherWeightsStayBehindByContent() throws IOException {
    assertThat(reason("unheard.of", "GGUF\3\0\0\0")).contains(LeftOut.Reason.WEIGHTS);
    assertThat(reason("no-extension", "\2\0\0\0\0\0\0\0{}")).contains(LeftOut.Reason.WEIGHTS);
    assertThat(reason("spiece.model", "\12\16\12\5<unk>\25\0\0")).isEmpty();
    assertThat(reason("a.model", "\10\7\22\7pytorch")).contains(LeftOut.Reason.WEIGHTS);
    assertThat(reason("net.thing", "1234TFL3....")).contains(LeftOut.Reason.WEIGHTS);
    assertThat(reason("w.dat", "\1\0\0\0")).contains(LeftOut.Reason.WEIGHTS);
    assertThat(reason("w.q4_0", "\1\0\0\0")).contains(LeftOut.Reason.WEIGHTS);
    assertThat(reason("stale.json", "{\"metadata\": {}, \"weight_map\": {}}"))
        .contains(LeftOut.Reason.WEIGHTS);
    Files.writeString(folder.resolve("net.bin"), "x");
    assertThat(reason("net.xml", "<net/>")).contains(LeftOut.Reason.WEIGHTS);
    try (RandomAccessFile file =
        new RandomAccessFile(folder.resolve("large.thing").toFile(), "rw")) {
      file.setLength(17 << 20);
    }
    assertThat(reason("large.thing")).contains(LeftOut.Reason.WEIGHTS);
  }

  /** Config files say other things too; a dense export cuts what is not true of it. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '#',
      value = {
        "config.json | {'quantization_config': {'bits': 4}}",
        "generation_config.json | {'top_k': 5}",
        "params.json | {'dim': 64, 'n_layers': 2, 'quantization': {'qformat_weight': 'fp8_e4m3'}}",
        "tokenizer.json | {'model.layers.0.x': 1, 'quantization_config': 2}",
        "vocab.json | {'quant_method': 17}",
        "tokenizer_config.json | {'quantization_config': 1}",
        "preprocessor_config.json | {'image_processor_type': 'x', 'bits': 8}",
        "quantization.py | x = 1",
        "README_quantization.md | x",
        "words.dat | plain text",
        "data.xml | <a/>",
        "broken.json | {'quant_method'",
        "list.json | ['quant_method']",
        "mergekit.yml | dtype: bfloat16",
        "modules.json | [{'idx': 0, 'path': ''}]",
        "quantizer_config.json | {'codebook_size': 8}"
      })
  void whatIsTrueOfAnyWeightsGoesAlong(String name, String content) throws IOException {
    assertThat(reason(name, content.replace('\'', '"'))).isEmpty();
  }

  @Test
  void foldersOfOtherWeightsStayBehindAsAWhole() throws IOException {
    for (String file :
        List.of(
            "original/params.json",
            "original/consolidated.00.pth",
            "original/tokenizer.model",
            "coreml/a.mlpackage/Manifest.json",
            "onnx/config.json",
            "onnx/int4/model.onnx",
            "code/weights.pt",
            "code/part.py",
            "code/part.json",
            "1_Pooling/config.json",
            "2_Dense/config.json",
            "2_Dense/model.safetensors",
            "3_Dense/config.json",
            "3_Dense/pytorch_model.bin",
            "4_Dense/model.safetensors",
            "2_Dense/openvino/openvino_model.bin")) {
      write(file, "{}");
    }
    write(
        "modules.json",
        "[{\"path\": \"\"}, {\"path\": \"2_Dense\"}, {\"path\": \"3_Dense\"}, {\"path\":"
            + " \"../4_Dense\"}]");
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.leftOut())
          .extracting(LeftOut::name)
          .containsExactly(
              "2_Dense/openvino", "4_Dense", "code/weights.pt", "coreml", "onnx/int4", "original");
      assertThat(checkpoint.leftOut())
          .extracting(LeftOut::reason)
          .containsOnly(LeftOut.Reason.WEIGHTS);
      assertThat(checkpoint.sideFiles())
          .contains(
              "2_Dense/model.safetensors",
              "3_Dense/pytorch_model.bin",
              "1_Pooling/config.json",
              "code/part.json",
              "code/part.py",
              "onnx/config.json");
    }
  }

  /** Weights that cannot be read stay as they are, and whoever reads them needs to be told how. */
  @Test
  void descriptionsStayWithTheWeightsThatTheyDescribe() throws IOException {
    write("quantize_config.json", "{\"bits\": 4}");
    assertThat(reason("quantize_config.json")).contains(LeftOut.Reason.QUANTIZATION);
    RawSafetensors.write(
        folder,
        "model.safetensors",
        "{" + entry("a.qweight", "I32", "[1,1]", 0, 4) + "}",
        new byte[4]);
    assertThat(reason("quantize_config.json")).isEmpty();
    RawSafetensors.write(
        folder,
        "model.safetensors",
        "{" + entry("a.position_ids", "I32", "[1,1]", 0, 4) + "}",
        new byte[4]);
    assertThat(reason("quantize_config.json")).contains(LeftOut.Reason.QUANTIZATION);
    RawSafetensors.write(
        folder,
        "model.safetensors",
        "{"
            + entry("a.weight", "F8_E4M3", "[1,1]", 0, 1)
            + ","
            + entry("a.weight_scale", "F32", "[1]", 1, 5)
            + "}",
        new byte[5]);
    assertThat(reason("quantize_config.json")).contains(LeftOut.Reason.QUANTIZATION);
  }

  private Optional<LeftOut.Reason> reason(String name, String content) throws IOException {
    write(name, content);
    return reason(name);
  }

  private Optional<LeftOut.Reason> reason(String name) {
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      Optional<LeftOut.Reason> found =
          checkpoint.leftOut().stream()
              .filter(left -> (name + "/").startsWith(left.name() + "/"))
              .map(LeftOut::reason)
              .findFirst();
      assertThat(checkpoint.sideFiles().contains(name)).isEqualTo(found.isEmpty());
      return found;
    }
  }

  private void write(String name, String content) throws IOException {
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    Files.write(file, content.getBytes(StandardCharsets.ISO_8859_1));
  }
}
