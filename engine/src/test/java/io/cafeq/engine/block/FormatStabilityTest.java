package io.cafeq.engine.block;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.receipt.UnitFigures;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Files of released versions stay readable, and this version writes the same bytes as when it was
 * released.
 */
class FormatStabilityTest {
  @TempDir Path folder;

  @Test
  void aFileOfTheFirstVersionIsRead() throws IOException {
    isRead("1.0", UnitFiles.firstHeader(), UnitFiles.FIRST_FIGURES);
  }

  @Test
  void aFileOfThePresentVersionIsRead() throws IOException {
    isRead("2.0", UnitFiles.sampleHeader(), UnitFiles.FIGURES);
  }

  private void isRead(String version, UnitHeader header, UnitFigures figures) throws IOException {
    Path stored = stored(version);
    try (UnitFileReader reader = UnitFileReader.open(stored)) {
      assertThat(reader.header()).isEqualTo(header);
      assertThat(reader.figures()).isEqualTo(figures);
    }
    UnitProof.Outcome outcome =
        UnitProof.check(stored, new UnitProof.Against.Nothing(), new StopFlag());
    assertThat(outcome.weights()).isEqualTo(figures.weights());
    assertThat(outcome.problems()).isEmpty();
  }

  @Test
  void aFileOfThePresentVersionIsWrittenAgainToTheByte() throws IOException {
    Path stored = stored("2.0");
    Path written = folder.resolve("written.arrow");
    UnitFiles.writeSample(written);
    assertThat(Files.mismatch(stored, written)).isEqualTo(-1);
  }

  private Path stored(String version) throws IOException {
    Path stored = folder.resolve("stored.arrow");
    try (InputStream in =
        Objects.requireNonNull(
            getClass().getResourceAsStream("/format/unit-" + version + ".arrow"))) {
      Files.copy(in, stored);
    }
    return stored;
  }
}
