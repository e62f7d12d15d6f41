package io.cafeq.engine.export.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DenseConfigTest {
  private static String without(String config) throws IOException {
    return new String(
        DenseConfig.of(config.getBytes(StandardCharsets.UTF_8)).bytes(), StandardCharsets.UTF_8);
  }

  @Test
  void everyOtherByteStays() throws IOException {
    assertThat(
            without(
                """
                {
                  "name": "ü \\" quantization_config",
                  "eps": 1e-06,   "big": 1.50e+10,
                  "quantization_config": {
                    "weight_block_size": [128, 128], "x": {"quantization_config": 1}
                  },
                  "other": {"a": [{"b": 1, "quantization_config": {"a": 1}}], "c" : "quantization_config"},
                  "last": null
                }
                """))
        .isEqualTo(
            """
            {
              "name": "ü \\" quantization_config",
              "eps": 1e-06,   "big": 1.50e+10,
              "other": {"a": [{"b": 1}], "c" : "quantization_config"},
              "last": null
            }
            """);
  }

  @Test
  void theCommaGoesWithIt() throws IOException {
    assertThat(without("{\"a\": 1 , \"quantization_config\": {\"b\": [{}]} }"))
        .isEqualTo("{\"a\": 1 }");
    assertThat(without("{\"a\": \"long text\",\n \"quantization_config\": null\n}"))
        .isEqualTo("{\"a\": \"long text\"\n}");
    assertThat(without("{ \"quantization_config\": 12.5 }")).isEqualTo("{  }");
    assertThat(without("{ \"quantization_config\": \"x\", \"a\": 2}")).isEqualTo("{ \"a\": 2}");
    assertThat(
            without(
                "{\"a\": true, \"text_config\": {\"c\": -1, \"quantization_config\": {}},"
                    + " \"b\":[1]}"))
        .isEqualTo("{\"a\": true, \"text_config\": {\"c\": -1}, \"b\":[1]}");
    assertThat(
            without(
                "{\"text_config\": {\"c\": 7, \"quantization_config\": {}},"
                    + " \"quantization_config\": {}}"))
        .isEqualTo("{\"text_config\": {\"c\": 7}}");
  }

  @Test
  void anyProgramsDescriptionGoesInAnySection() throws IOException {
    for (String field :
        new String[] {
          "'quantization_config': {'quant_method': 'gptq', 'bits': 4}",
          "'compression_config': {'format': 'int-quantized'}",
          "'quantization': {'group_size': 64, 'bits': 4}",
          "'quantization': 'q4f16_1'",
          "'quantize_config': {'w_bit': 4}",
          "'expert_quantization_config': null",
          "'quant_method': 'awq'",
          "'hqq_config': {}",
          "'_load_in_4bit': true",
          "'quantization': {'qformat_weight': 'fp8_e4m3'}",
          "'kv_cache_scheme': {'num_bits': 8}",
          "'quantization_bit': 4",
          "'_pre_quantization_dtype': 'bfloat16'",
          "'expert_dtype': 'fp4'"
        }) {
      assertThat(json("{" + field + "}")).isEqualTo("{}");
      assertThat(
              json(
                  "{'a': 1, "
                      + field
                      + ", 'b': {'thinker_config': {'text_config': {"
                      + field
                      + "}}}}"))
          .isEqualTo("{'a': 1, 'b': {'thinker_config': {'text_config': {}}}}");
    }
    assertThat(
            json(
                "{'a': 1, 'quant_method': 'x', 'quantization_config': {}, 'c': 2, 'hqq_config': 3,"
                    + " 'awq': 1}"))
        .isEqualTo("{'a': 1, 'c': 2}");
  }

  @Test
  void whatAModelDoesWithPlainWeightsStays() throws IOException {
    for (String field :
        new String[] {
          "'quantization_config': {'quant_method': 'bitnet', 'quantization_mode': 'online'}",
          "'num_quantizers': 8",
          "'quantization': {'codebook_size': 1024, 'bits': 10}",
          "'quant_mode': true",
          "'feat_quantizer_dropout': 0.0",
          "'use_cache_quantization': false",
          "'quantization_bit': 0",
          "'expert_dtype': 'bf16'",
          "'torch_dtype': 'float16'",
          "'dtype': 'float32'",
          "'dtype': 'auto'",
          "'compression': 2.5e1"
        }) {
      assertThat(json("{" + field + ", 'x': 1}")).isEqualTo("{" + field + ", 'x': 1}");
    }
  }

  @Test
  void aNarrowTypeBecomesThatOfTheWeights() throws IOException {
    assertThat(
            json(
                "{'torch_dtype' : 'float8_e4m3fn', 'text_config': {'dtype': 'torch.uint8'}, 'x':"
                    + " 'int8'}"))
        .isEqualTo(
            "{'torch_dtype' : 'bfloat16', 'text_config': {'dtype': 'bfloat16'}, 'x': 'int8'}");
  }

  @Test
  void whatPythonWritesIsRead() throws IOException {
    assertThat(json("\ufeff{'a': -Infinity, 'quantization_config': {'b': NaN}, 'ü': Infinity}"))
        .isEqualTo("\ufeff{'a': -Infinity, 'ü': Infinity}");
  }

  @Test
  void whatWentIsNamed() throws IOException {
    String config =
        """
        {"text_config": {"quantization_config": {}, "dtype": "fp8"}, "quant_method": 1}\
        """;
    DenseConfig.Cleaned cleaned = DenseConfig.of(config.getBytes(StandardCharsets.UTF_8));
    assertThat(cleaned.removed())
        .containsExactly("text_config.quantization_config", "quant_method");
    assertThat(cleaned.retyped()).containsExactly("text_config.dtype");
  }

  /** In single quotes, in and out. */
  private static String json(String config) throws IOException {
    return without(config.replace('\'', '"')).replace('"', '\'');
  }

  @ParameterizedTest
  @ValueSource(strings = {"{}", "[]", "{\"a\": [1, {\"b\": 2}]}\n", "  {\"text_config\": 5}"})
  void whatSpeaksOfNoQuantizationStays(String config) throws IOException {
    assertThat(without(config)).isEqualTo(config);
  }

  @Test
  void whatIsNoJsonIsRefused() {
    assertThatThrownBy(() -> without("{\"a\": ")).isInstanceOf(IOException.class);
    assertThatThrownBy(() -> without("{\"a\": 1, \"a\": 2}")).isInstanceOf(IOException.class);
  }
}
