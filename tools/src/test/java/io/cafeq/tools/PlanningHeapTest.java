package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The heap has one size whatever the machine, so that many processors must get along with it. */
@Tag("slow")
class PlanningHeapTest {
  @TempDir Path folder;

  @Test
  void aTargetIsPlannedOnManyThreadsWithinTheUsualHeap() throws Exception {
    Path model = folder.resolve("model");
    SampleShape shape =
        new SampleShape(
            4,
            256,
            704,
            8,
            4,
            512,
            Dtype.BF16,
            false,
            SampleShape.Distribution.STUDENT,
            1.0 / 64,
            30_000_000);
    SampleCheckpoint.write(shape, 3, model, new StopFlag());

    RunningProgram.Result result =
        RunningProgram.cafeq(
                List.of(),
                List.of(
                    "quantize",
                    model.toString(),
                    "--out",
                    folder.resolve("out").toString(),
                    "--target-bpw",
                    "4.3",
                    "--lanes",
                    "16",
                    "--max-memory",
                    "6g",
                    "--statistics",
                    "random",
                    "--statistics-tokens",
                    "64",
                    "--statistics-window",
                    "64",
                    "--steps",
                    "2",
                    "--pair-steps",
                    "2",
                    "--baselines",
                    "off"))
            .await();

    assertThat(result.exitCode()).as(result.err()).isZero();
  }
}
