package io.cafeq.engine.measure;

import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.statistics.InputStatistics;
import io.cafeq.engine.statistics.MomentFile;
import io.cafeq.engine.statistics.MomentReader;
import io.cafeq.engine.statistics.MomentSums;
import io.cafeq.engine.statistics.StoredStatistics;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * {@code statistics/} of a result: {@code tokens.json}, and of each layer {@code layer-00000.safetensors}. What lies there under
 * its name with the right identity and hash counts. Thread-safe.
 */
public final class StatisticsFolder {
  private static final Logger LOG = LoggerFactory.getLogger(StatisticsFolder.class);
  private static final String TOKENS = "tokens.json";
  private static final String PART = ".part";

  private final Path folder;
  private final StatisticsPlan plan;
  private final String tokensIdentity;
  private final SortedMap<Integer, Manifest.SideFileEntry> there = new TreeMap<>();

  /** @param root the result's folder */
  public StatisticsFolder(Path root, Checkpoint checkpoint, StatisticsPlan plan) {
    this.folder = root.resolve(Manifest.STATISTICS);
    this.plan = plan;
    this.tokensIdentity = plan.tokensIdentity(checkpoint);
  }

  public Path path() {
    return folder;
  }

  /** The tokens that an earlier run put down; empty where there are none of this plan. */
  public Optional<StatisticsTokens> storedTokens() {
    return TokensFile.read(folder.resolve(TOKENS), tokensIdentity);
  }

  /** Puts the tokens down, before any layer is measured with them. */
  public void keep(StatisticsTokens tokens) {
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw FileFailure.of("create", folder, e);
    }
    TokensFile.write(folder.resolve(TOKENS), tokensIdentity, plan.choice().used(), plan.settings(), tokens);
  }

  /**
   * Removes what an interrupted run left unfinished. Throws with kind USAGE where a file lies there that no plan of statistics
   * explains.
   */
  public void clean() {
    if (!Files.isDirectory(folder)) {
      return;
    }
    Set<String> known = new TreeSet<>();
    if (!plan.isEmpty()) {
      known.add(TOKENS);
      plan.inputs().layers().forEach(layer -> known.add(StoredStatistics.fileName(layer)));
    }
    List<String> unknown = new ArrayList<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
      for (Path file : files) {
        String name = String.valueOf(file.getFileName());
        if (name.endsWith(PART) && known.contains(name.substring(0, name.length() - PART.length()))) {
          Files.delete(file);
        } else if (!known.contains(name)) {
          unknown.add(name);
        }
      }
    } catch (IOException e) {
      throw FileFailure.of("clean", folder, e);
    }
    if (!unknown.isEmpty()) {
      throw new EngineException(
          FailureKind.USAGE,
          folder + " holds files that are no statistics of this plan: "
              + String.join(", ", unknown.stream().sorted().limit(5).toList()),
          "Move them elsewhere, or choose another folder with --out.");
    }
  }

  /** Takes note of the layers whose files are there and whole. One that is damaged or of something else is made again. */
  public void keepIntact(StatisticsTokens tokens, StopFlag stop) {
    String sha256 = tokens.sha256();
    for (int layer : plan.inputs().layers()) {
      Path file = folder.resolve(StoredStatistics.fileName(layer));
      if (Files.isRegularFile(file) && isIntact(file, plan.layerIdentity(tokensIdentity, sha256, layer), stop)) {
        put(layer, entry(file, stop));
      }
    }
  }

  /** Layers that are yet to be measured. */
  public synchronized SortedSet<Integer> missing() {
    SortedSet<Integer> missing = new TreeSet<>(plan.inputs().layers());
    missing.removeAll(there.keySet());
    return missing;
  }

  /** Whether the layer's file stands, or nothing of it is measured. */
  public synchronized boolean isReady(int layer) {
    return there.containsKey(layer) || !plan.inputs().layers().contains(layer);
  }

  /** Writes a layer's file. */
  void write(int layer, StatisticsTokens tokens, String kernel, Collection<MomentSums> sums, StopFlag stop) {
    Path file = folder.resolve(StoredStatistics.fileName(layer));
    String identity = plan.layerIdentity(tokensIdentity, tokens.sha256(), layer);
    MomentFile.Receipt receipt = MomentFile.write(file, identity, kernel, List.copyOf(sums), stop);
    put(layer, new Manifest.SideFileEntry(name(file), receipt.bytes(), receipt.sha256()));
  }

  /** What lies there, to be read while layers come. */
  public InputStatistics stored(Checkpoint checkpoint, StopFlag stop) {
    return plan.stored(folder, checkpoint, stop);
  }

  /** What is there by now, as the manifest says it. */
  public synchronized Manifest.Statistics entry(StatisticsTokens tokens) {
    List<Manifest.SideFileEntry> files = new ArrayList<>(there.values());
    if (Files.isRegularFile(folder.resolve(TOKENS))) {
      files.add(entry(folder.resolve(TOKENS), new StopFlag()));
    }
    return new Manifest.Statistics(
        plan.choice().asked().text(), plan.choice().used().text(), tokens.count(), plan.settings().window(),
        tokens.sha256(), files);
  }

  private synchronized void put(int layer, Manifest.SideFileEntry entry) {
    there.put(layer, entry);
  }

  private static boolean isIntact(Path file, String identity, StopFlag stop) {
    try (MomentReader reader = MomentReader.open(file)) {
      reader.checkPayload(stop);
      return reader.identity().equals(identity);
    } catch (EngineException e) {
      if (e.kind() != FailureKind.RESULT) {
        throw e;
      }
      LOG.warn("{} is made again: {}", file, e.getMessage());
      return false;
    }
  }

  private static Manifest.SideFileEntry entry(Path file, StopFlag stop) {
    try {
      return new Manifest.SideFileEntry(name(file), Files.size(file), Digests.file(file, stop));
    } catch (IOException e) {
      throw FileFailure.of("read", file, e);
    }
  }

  private static String name(Path file) {
    return Manifest.STATISTICS + "/" + Objects.requireNonNull(file.getFileName());
  }
}
