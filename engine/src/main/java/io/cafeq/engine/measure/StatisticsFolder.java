package io.cafeq.engine.measure;

import io.cafeq.config.StatisticsSource;
import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.estimate.ModelLayout;
import io.cafeq.engine.estimate.ModelVectors;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.result.ResultLayout;
import io.cafeq.engine.statistics.InputStatistics;
import io.cafeq.engine.statistics.MomentSums;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * {@code statistics/} of a result: {@code tokens.json} unless moments are estimated, and of each
 * layer {@code layer-00000.safetensors}; while layers are estimated also {@code
 * vectors.safetensors}, which goes with the last one. What is there under its name with the right
 * identity and hashes counts, once {@link #changedSource} found that it is of the weights that are
 * there now. Thread-safe.
 */
public final class StatisticsFolder {
  private static final Logger LOG = LoggerFactory.getLogger(StatisticsFolder.class);
  private static final String TOKENS = ResultLayout.tokensName();
  private static final String VECTORS = ResultLayout.vectorsName();

  private final Path folder;
  private final StatisticsPlan plan;
  private final TokensFile.Asked asked;
  private final SourceChain sources;

  /** What an estimate reads; empty for others. */
  private final SortedSet<String> read;

  private final SortedMap<Integer, Layer> there = new TreeMap<>();
  private TokensFile.@Nullable Content tokens;

  private record Layer(Manifest.SideFileEntry entry, String sourceSha256, String kernel) {}

  /**
   * @param root the result's folder
   */
  public StatisticsFolder(Path root, Checkpoint checkpoint, StatisticsPlan plan) {
    this.folder = new ResultLayout(root).statistics();
    this.plan = plan;
    this.asked =
        new TokensFile.Asked(
            plan.tokensIdentity(checkpoint), plan.choice().used().text(), plan.settings().window());
    this.sources = new SourceChain(checkpoint);
    this.read =
        plan.isEstimate() ? ModelLayout.of(checkpoint).tensors() : Collections.emptySortedSet();
  }

  public Path path() {
    return folder;
  }

  /** The tokens that an earlier run wrote; empty where there are none of this plan. */
  public synchronized Optional<StatisticsTokens> storedTokens() {
    if (plan.isEstimate()) {
      return Optional.of(StatisticsTokens.NONE);
    }
    Optional<TokensFile.Content> stored = TokensFile.read(folder.resolve(TOKENS), asked);
    tokens = stored.orElse(null);
    return stored.map(TokensFile.Content::tokens);
  }

  /**
   * Puts the tokens down, before any layer is measured with them. Reads all weights once more where
   * the model wrote them.
   *
   * @param kernel of the backend that there was for it
   */
  public synchronized void keep(StatisticsTokens made, String kernel, StopFlag stop) {
    TokensFile.Content content =
        isSelfWritten()
            ? new TokensFile.Content(made, sources.all(stop), kernel)
            : new TokensFile.Content(made, "", "");
    create();
    TokensFile.write(folder.resolve(TOKENS), asked, content);
    tokens = content;
  }

  private void create() {
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw FileFailure.of("create", folder, e);
    }
  }

  /** What an earlier run gathered of the weights that are there now. */
  Optional<ModelVectors> storedVectors(ModelLayout layout, StopFlag stop) {
    Path file = folder.resolve(VECTORS);
    return Files.isRegularFile(file)
        ? VectorsFile.read(file, vectorsOrigin(stop), layout, stop)
        : Optional.empty();
  }

  /** Puts down what was gathered, before any layer is estimated with it. */
  void keepVectors(ModelVectors vectors, StopFlag stop) {
    create();
    VectorsFile.write(folder.resolve(VECTORS), vectorsOrigin(stop), vectors, stop);
  }

  private MomentFile.Origin vectorsOrigin(StopFlag stop) {
    return new MomentFile.Origin(asked.identity(), sources.of(read, stop), StatisticsPlan.JAVA);
  }

  /** Hashes a stored tensor, unless that was done. */
  void addSource(String tensor, StopFlag stop) {
    sources.add(tensor, stop);
  }

  private boolean isSelfWritten() {
    return plan.choice().used() instanceof StatisticsSource.Self;
  }

  /**
   * Removes what an interrupted run left unfinished. Throws with kind USAGE where a file is there
   * that no plan of statistics explains.
   */
  public void clean() {
    if (!Files.isDirectory(folder)) {
      return;
    }
    Set<String> known = new TreeSet<>();
    if (!plan.isEmpty()) {
      known.add(plan.isEstimate() ? VECTORS : TOKENS);
      plan.inputs().layers().forEach(layer -> known.add(ResultLayout.layerName(layer)));
    }
    List<String> unknown = new ArrayList<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
      for (Path file : files) {
        String name = String.valueOf(file.getFileName());
        boolean unused = name.equals(VECTORS) && plan.isEstimate() && missing().isEmpty();
        if (unused || ResultLayout.completeName(name).filter(known::contains).isPresent()) {
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
          folder
              + " holds files that are no statistics of this plan: "
              + String.join(", ", unknown.stream().sorted().limit(5).toList()),
          "Move them elsewhere, or choose another folder with --out.");
    }
  }

  /**
   * Takes note of the layers whose files are there and whole. One that is damaged or of something
   * else is made again.
   */
  public void keepIntact(StatisticsTokens ofLayers, StopFlag stop) {
    String sha256 = ofLayers.sha256();
    for (int layer : plan.inputs().layers()) {
      Path file = folder.resolve(ResultLayout.layerName(layer));
      if (Files.isRegularFile(file)) {
        String identity = plan.layerIdentity(asked.identity(), sha256, layer);
        intact(file, stop)
            .filter(origin -> origin.identity().equals(identity))
            .ifPresent(
                origin ->
                    put(
                        layer,
                        new Layer(entry(file, stop), origin.sourceSha256(), origin.kernel())));
      }
    }
  }

  /**
   * What there is of other weights than the checkpoint has now, for people. Reads all weights that
   * go into it, so it is to be called before anything is made with the statistics, and not where
   * nothing is.
   */
  public synchronized Optional<String> changedSource(StopFlag stop) {
    TokensFile.Content written = tokens;
    if (written != null && isSelfWritten() && !written.sourceSha256().equals(sources.all(stop))) {
      return Optional.of("the bytes of source tensors changed since the model wrote its text");
    }
    for (Map.Entry<Integer, Layer> layer : there.entrySet()) {
      if (!layer.getValue().sourceSha256().equals(sourceSha256(layer.getKey(), stop))) {
        return Optional.of(
            "the bytes of source tensors changed since "
                + layer.getValue().entry().path()
                + (plan.isEstimate()
                    ? " was estimated from all layers"
                    : " was made with the embedding and all layers up to this one"));
      }
    }
    return Optional.empty();
  }

  /** Reads the weights that decide a layer's moments, unless that was done. */
  String sourceSha256(int layer, StopFlag stop) {
    return plan.isEstimate() ? sources.of(read, stop) : sources.upTo(layer, stop);
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
  void write(
      int layer,
      StatisticsTokens ofLayer,
      String kernel,
      Collection<MomentSums> sums,
      StopFlag stop) {
    Path file = folder.resolve(ResultLayout.layerName(layer));
    MomentFile.Origin origin = origin(layer, ofLayer, kernel, stop);
    put(layer, origin, file, MomentFile.write(file, origin, List.copyOf(sums), stop));
  }

  /** Writes an estimated layer's file. */
  void write(int layer, SortedMap<String, float[]> diagonals, StopFlag stop) {
    Path file = folder.resolve(ResultLayout.layerName(layer));
    MomentFile.Origin origin = origin(layer, StatisticsTokens.NONE, StatisticsPlan.JAVA, stop);
    put(layer, origin, file, MomentFile.writeDiagonals(file, origin, diagonals, stop));
    if (missing().isEmpty()) {
      try {
        Files.deleteIfExists(folder.resolve(VECTORS));
      } catch (IOException e) {
        throw FileFailure.of("delete", folder.resolve(VECTORS), e);
      }
    }
  }

  private MomentFile.Origin origin(
      int layer, StatisticsTokens ofLayer, String kernel, StopFlag stop) {
    return new MomentFile.Origin(
        plan.layerIdentity(asked.identity(), ofLayer.sha256(), layer),
        sourceSha256(layer, stop),
        kernel);
  }

  private void put(int layer, MomentFile.Origin origin, Path file, MomentFile.Receipt receipt) {
    put(
        layer,
        new Layer(
            new Manifest.SideFileEntry(name(file), receipt.bytes(), receipt.sha256()),
            origin.sourceSha256(),
            origin.kernel()));
  }

  /** What is there, to be read while layers come. */
  public InputStatistics stored(Checkpoint checkpoint, StopFlag stop) {
    return plan.stored(folder, checkpoint, stop);
  }

  /** What is there by now, as the manifest says it. */
  public synchronized Manifest.Statistics entry(StatisticsTokens used) {
    List<Manifest.SideFileEntry> files = new ArrayList<>();
    SortedSet<String> kernels = new TreeSet<>();
    there
        .values()
        .forEach(
            layer -> {
              files.add(layer.entry());
              kernels.add(layer.kernel());
            });
    TokensFile.Content written = tokens;
    if (written != null && isSelfWritten()) {
      kernels.add(written.kernel());
    }
    if (Files.isRegularFile(folder.resolve(TOKENS))) {
      files.add(entry(folder.resolve(TOKENS), new StopFlag()));
    }
    return new Manifest.Statistics(
        plan.choice().asked().text(),
        plan.choice().used().text(),
        used.count(),
        plan.isEstimate() ? 0 : plan.settings().window(),
        used.sha256(),
        kernels,
        files);
  }

  private synchronized void put(int number, Layer layer) {
    there.put(number, layer);
  }

  private static Optional<MomentFile.Origin> intact(Path file, StopFlag stop) {
    try (MomentReader reader = MomentReader.open(file)) {
      reader.requireIntact(stop);
      return Optional.of(reader.origin());
    } catch (EngineException e) {
      if (e.kind() != FailureKind.RESULT) {
        throw e;
      }
      LOG.warn("Redoing {}: {}", file, e.getMessage());
      return Optional.empty();
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
    return ResultLayout.statisticsName(Objects.requireNonNull(file.getFileName()).toString());
  }
}
