package io.cafeq.actors.job;

import io.cafeq.actors.memory.MemoryWatcher;
import io.cafeq.actors.node.Node;
import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.receipt.UnitReceipt;
import io.cafeq.engine.report.CoverageEntry;
import io.cafeq.engine.report.JobStatus;
import io.cafeq.engine.report.Machine;
import io.cafeq.engine.report.Measurements;
import io.cafeq.engine.report.Outlier;
import io.cafeq.engine.report.Outliers;
import io.cafeq.engine.report.Report;
import io.cafeq.engine.report.Source;
import io.cafeq.engine.report.TakenStatistics;
import io.cafeq.engine.report.Totals;
import io.cafeq.engine.report.UnitEntry;
import io.cafeq.engine.report.UnitResult;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/** Puts a job's report together. Counts what the run itself writes. Thread-safe. */
final class ReportMaker {
  private final JobDefinition definition;
  private final JobStatistics statistics;
  private final Node node;
  private final MemoryWatcher.Span memory;
  private final long startNanos = System.nanoTime();
  private final LongAdder bytesWritten = new LongAdder();
  private final LongAdder bytesReadElsewhere = new LongAdder();
  private final List<String> warnings;
  private volatile JobEngine.@Nullable Names engine;

  ReportMaker(
      JobDefinition definition, JobStatistics statistics, Node node, MemoryWatcher.Span memory) {
    this.definition = definition;
    this.statistics = statistics;
    this.node = node;
    this.memory = memory;
    this.warnings = new ArrayList<>(definition.plan().warnings());
  }

  /** The run loaded this backend. */
  void opened(JobEngine.Names opened) {
    engine = opened;
  }

  synchronized void warn(String warning) {
    warnings.add(warning);
  }

  /** A node read so much of the checkpoint. */
  void read(long bytes) {
    bytesReadElsewhere.add(bytes);
  }

  void wrote(long bytes) {
    bytesWritten.add(bytes);
  }

  synchronized Report make(JobStatus status, ResultLedger ledger) {
    List<UnitResult> results = ledger.inPlanOrder();
    boolean exceeded = memory.capExceeded();
    List<String> told = new ArrayList<>(warnings);
    if (exceeded) {
      told.add(
          "The process took "
              + (memory.peak() >> 20)
              + " MiB, more than the cap of "
              + (node.budget().cap() >> 20)
              + " MiB.");
    }
    List<Outlier> outliers = Outliers.among(results);
    outliers.forEach(outlier -> told.add(outlier.warning()));
    double seconds = Duration.ofNanos(System.nanoTime() - startNanos).toMillis() / 1000.0;
    return new Report(
        status,
        Totals.of(
            results,
            new Measurements(
                seconds,
                definition.checkpoint().bytesRead() + bytesReadElsewhere.sum(),
                bytesWritten.sum(),
                memory.peak())),
        CoverageEntry.of(definition.plan().coverage()),
        results.stream().map(UnitEntry::of).toList(),
        definition.recipeJson(),
        source(ledger.receipts()),
        statistics.soFar().map(this::taken).orElse(null),
        machine(exceeded),
        definition.version(),
        told,
        outliers);
  }

  private Source source(List<UnitReceipt> receipts) {
    SortedMap<String, String> tensors = new TreeMap<>();
    receipts.forEach(receipt -> tensors.putAll(receipt.sources()));
    List<Source.Shard> shards =
        definition.checkpoint().shards().entrySet().stream()
            .map(shard -> new Source.Shard(shard.getKey(), shard.getValue()))
            .toList();
    return new Source(
        definition.checkpoint().location(), definition.plan().family(), shards, tensors);
  }

  /** With the whole path of a text, which no other file of the result holds. */
  private TakenStatistics taken(Manifest.Statistics entry) {
    return new TakenStatistics(
        statistics.plan().choice().asked().given(),
        statistics.plan().choice().used().given(),
        entry.tokens(),
        entry.window(),
        entry.tokensSha256(),
        entry.files().stream()
            .map(file -> new TakenStatistics.TakenFile(file.path(), file.bytes(), file.sha256()))
            .toList());
  }

  private Machine machine(boolean exceeded) {
    JobEngine.Names opened = engine;
    return new Machine(
        host(),
        System.getProperty("os.name") + " " + System.getProperty("os.version"),
        System.getProperty("os.arch"),
        Runtime.getRuntime().availableProcessors(),
        System.getProperty("java.vm.name") + " " + Runtime.version(),
        opened == null ? null : opened.backend(),
        opened == null ? null : opened.kernel(),
        node.laneCount(),
        node.budget().cap(),
        memory.measure(),
        exceeded);
  }

  static long size(Path file) {
    try {
      return Files.size(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String host() {
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException e) {
      return "unknown";
    }
  }
}
