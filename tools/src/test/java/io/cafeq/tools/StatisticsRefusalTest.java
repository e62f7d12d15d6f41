package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import io.cafeq.engine.tokens.Tokenizers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What auto comes to is no matter of the machine, and what cannot be had is told before there is a
 * folder.
 */
class StatisticsRefusalTest {
  @TempDir Path folder;

  @Test
  void aMachineWithoutTokenizersIsToldAndSoIsAMissingText() throws Exception {
    Path model = folder.resolve("model");
    SampleShape shape =
        new SampleShape(
            1,
            32,
            64,
            4,
            2,
            64,
            Dtype.BF16,
            false,
            SampleShape.Distribution.GAUSSIAN,
            0,
            1_000_000);
    SampleCheckpoint.write(shape, 1, model, new StopFlag());
    Tokenizers.write(model);
    Path out = folder.resolve("out");

    // a folder below a file cannot be made
    Path blocked = Files.writeString(folder.resolve("file"), "").resolve("cache");
    RunningProgram.Result result =
        RunningProgram.cafeq(
                List.of("-DENGINE_CACHE_DIR=" + blocked),
                List.of("quantize", model.toString(), "--out", out.toString()))
            .await();

    assertThat(result.exitCode()).as(result.err()).isEqualTo(ExitCode.UNITS_MISSING);
    assertThat(result.err())
        .contains("tokenizers library cannot be loaded", "--statistics random or weights");
    assertThat(out).doesNotExist();

    Path text = folder.resolve("no-text");
    for (String command : List.of("plan", "quantize")) {
      RunningProgram.Result missing =
          RunningProgram.cafeq(
              command, model.toString(), "--out", out.toString(), "--statistics", "file:" + text);
      assertThat(missing.exitCode()).as(missing.err()).isEqualTo(ExitCode.USAGE);
      assertThat(missing.err()).contains(text + ": there is no such text");
      assertThat(out).doesNotExist();
    }
  }
}
