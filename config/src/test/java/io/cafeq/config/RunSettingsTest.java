package io.cafeq.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RunSettingsTest {
  @Test
  void defaults() {
    assertThat(RunSettings.defaults())
        .isEqualTo(
            new RunSettings(
                OptionalLong.empty(),
                OptionalInt.empty(),
                Optional.empty(),
                true,
                Optional.empty(),
                0.5));
  }

  @Test
  void explicitMappings() {
    RunSettings run =
        Settings.load(
                Optional.empty(),
                Map.of(
                    "run.max-memory",
                    "2g",
                    "run.lanes",
                    "3",
                    "run.backend",
                    "scalar",
                    "run.verify",
                    "false",
                    "run.progress",
                    "plain",
                    "run.minimum-coverage",
                    "0.25"))
            .run();
    assertThat(run)
        .isEqualTo(
            new RunSettings(
                OptionalLong.of(2L << 30),
                OptionalInt.of(3),
                Optional.of("scalar"),
                false,
                Optional.of(ProgressStyle.PLAIN),
                0.25));
    assertThat(run.resolvedMaxMemory()).isEqualTo(2L << 30);
    assertThat(run.resolvedLanes()).isEqualTo(3);
  }

  @ParameterizedTest
  @CsvSource({
    "768m, 805306368",
    "1g, 1073741824",
    "1GiB, 1073741824",
    "1500 MB, 1500000000",
    "0.75g, 805306368",
    "805306368, 805306368",
    "1T, 1099511627776"
  })
  void sizes(String text, long bytes) {
    assertThat(Settings.load(Optional.empty(), Map.of("run.max-memory", text)).run().maxMemory())
        .hasValue(bytes);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"767m", "805306367", "0", "-1g", "1x", "lots", "", "99999999999999999999g"})
  void sizesThatAreRefused(String text) {
    assertThatThrownBy(() -> Settings.load(Optional.empty(), Map.of("run.max-memory", text)))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("run.max-memory")
        .hasMessageContaining("at least 768m");
  }

  @Test
  void autoIsResolvedFromTheMachine() {
    RunSettings run = RunSettings.defaults();
    assertThat(run.resolvedMaxMemory())
        .isEqualTo(Math.max(RunSettings.LEAST_MEMORY, MachineMemory.totalBytes() / 4))
        .isGreaterThanOrEqualTo(RunSettings.LEAST_MEMORY);
    assertThat(run.resolvedLanes()).isEqualTo(Runtime.getRuntime().availableProcessors());
  }

  @Test
  void memoryTotalIsReadFromMeminfo() {
    assertThat(MachineMemory.totalBytes(List.of("MemTotal:       16384 kB", "MemFree:  1 kB")))
        .hasValue(16L << 20);
    assertThat(MachineMemory.totalBytes(List.of("MemFree:  1 kB"))).isEmpty();
  }
}
