package io.cafeq.engine.export;

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
        DenseConfig.withoutQuantization(config.getBytes(StandardCharsets.UTF_8)), StandardCharsets.UTF_8);
  }

  @Test
  void everyOtherByteStays() throws IOException {
    assertThat(without("""
        {
          "name": "ü \\" quantization_config",
          "eps": 1e-06,   "big": 1.50e+10,
          "quantization_config": {
            "weight_block_size": [128, 128], "x": {"quantization_config": 1}
          },
          "other": {"quantization_config": {"a": 1}},
          "last": null
        }
        """)).isEqualTo("""
        {
          "name": "ü \\" quantization_config",
          "eps": 1e-06,   "big": 1.50e+10,
          "other": {"quantization_config": {"a": 1}},
          "last": null
        }
        """);
  }

  @Test
  void theCommaGoesWithIt() throws IOException {
    assertThat(without("{\"a\": 1 , \"quantization_config\": {\"b\": [{}]} }")).isEqualTo("{\"a\": 1 }");
    assertThat(without("{\"a\": \"long text\",\n \"quantization_config\": null\n}")).isEqualTo("{\"a\": \"long text\"\n}");
    assertThat(without("{ \"quantization_config\": 12.5 }")).isEqualTo("{  }");
    assertThat(without("{ \"quantization_config\": \"x\", \"a\": 2}")).isEqualTo("{ \"a\": 2}");
    assertThat(without("{\"a\": true, \"text_config\": {\"c\": -1, \"quantization_config\": {}}, \"b\":[1]}"))
        .isEqualTo("{\"a\": true, \"text_config\": {\"c\": -1}, \"b\":[1]}");
    assertThat(without("{\"text_config\": {\"c\": 7, \"quantization_config\": {}}, \"quantization_config\": {}}"))
        .isEqualTo("{\"text_config\": {\"c\": 7}}");
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
