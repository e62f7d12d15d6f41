package io.cafeq.tools.bench;

import io.cafeq.actors.host.EngineHost;
import io.cafeq.actors.host.HostSettings;
import io.cafeq.actors.job.JobRequest;
import io.cafeq.actors.job.JobResult;
import io.cafeq.config.Settings;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A whole job on a generated bf16 checkpoint that is in the page cache, in MB/s (10^6 bytes) of
 * input: headers, reading, hashing, rounding, Arrow files written, synced and closed, manifest.
 * Without the proof and without the start of the JVM. The limit is copying the same files.
 */
public final class StreamingBench {
  private final Path folder;
  private final long bytes;
  private final int runs;
  private final String version;
  private final StopFlag stop;

  /**
   * @param folder an empty one that holds the checkpoint and the results meanwhile
   * @param runs how often each figure is taken; the best counts
   */
  public StreamingBench(Path folder, long bytes, int runs, String version, StopFlag stop) {
    this.runs = runs;
    this.folder = folder;
    this.bytes = bytes;
    this.version = version;
    this.stop = stop;
  }

  /** Min/max grids, then the clipping search. */
  public List<Measured> run() {
    Path source = folder.resolve("source");
    SampleCheckpoint.write(SampleShape.ofBytes(bytes), 0, source, stop);
    try {
      Copying copies = Copying.of(source);
      double megabytes = copies.megabytes();
      double copying = megabytes / best(() -> copies.seconds(folder.resolve("copy")));
      double plain = megabytes / best(() -> quantize(source, false));
      double clipped = megabytes / best(() -> quantize(source, true));
      return List.of(
          Measured.of("plain_bf16", plain, "MB/s", copying),
          Measured.of("clipped_bf16", clipped, "MB/s", copying));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private interface Work {
    double seconds() throws IOException;
  }

  private double best(Work work) throws IOException {
    double best = Double.POSITIVE_INFINITY;
    for (int run = 0; run < runs; run++) {
      stop.check();
      best = Math.min(best, work.seconds());
    }
    return best;
  }

  private double quantize(Path source, boolean clip) throws IOException {
    Map<String, String> options = new HashMap<>();
    options.put("recipe.method", "rtn");
    options.put("recipe.grid.clip", Boolean.toString(clip));
    options.put("run.verify", "false");
    options.put("recipe.baselines", "off");
    options.put("recipe.statistics.source", "none");
    Path out = folder.resolve("result");
    Settings settings = Settings.load(Optional.empty(), options);
    long start = System.nanoTime();
    JobResult result;
    try (EngineHost host = EngineHost.start(HostSettings.of(settings.run()), version)) {
      result = host.submit(new JobRequest(source.toString(), out, settings)).result().join();
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    switch (result) {
      case JobResult.Complete complete -> {}
      case JobResult.Refused refused -> throw refused.failure();
      case JobResult.Partial partial ->
          throw new EngineException(
              FailureKind.ENVIRONMENT, partial.cause().message(), partial.cause().remedy());
      case JobResult.Stopped stopped -> stop.check();
    }
    WorkFolder.delete(out);
    return seconds;
  }
}
