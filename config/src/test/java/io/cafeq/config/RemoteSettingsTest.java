package io.cafeq.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RemoteSettingsTest {
  @Test
  void defaults() {
    assertThat(RemoteSettings.defaults())
        .isEqualTo(
            new RemoteSettings(
                "https://huggingface.co", "HF_TOKEN", 4, 4 << 20, 32 << 20, 30, 30, 7, 500));
  }

  @Test
  void explicitMappings() {
    RemoteSettings remote =
        Settings.load(
                Optional.empty(),
                Map.of(
                    "remote.hub", "http://127.0.0.1:8080",
                    "remote.token-variable", "MIRROR_TOKEN",
                    "remote.parallel-reads", "8",
                    "remote.range-size", "1m",
                    "remote.range-memory", "64m",
                    "remote.connect-timeout", "5",
                    "remote.stall-timeout", "6",
                    "remote.retries", "0",
                    "remote.retry-delay", "10"))
            .remote();
    assertThat(remote)
        .isEqualTo(
            new RemoteSettings(
                "http://127.0.0.1:8080", "MIRROR_TOKEN", 8, 1 << 20, 64 << 20, 5, 6, 0, 10));
  }

  @ParameterizedTest
  @CsvSource({
    "hub, huggingface",
    "hub, ftp://host",
    "token-variable, a b",
    "parallel-reads, 0",
    "range-size, 9m",
    "range-size, 100k",
    "range-memory, 4m",
    "stall-timeout, 0",
    "retries, 101"
  })
  void refusesTheRest(String key, String value) {
    assertThatThrownBy(() -> Settings.load(Optional.empty(), Map.of("remote." + key, value)))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("remote." + key)
        .hasMessageContaining(value);
  }
}
