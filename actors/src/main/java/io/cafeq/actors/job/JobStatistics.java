package io.cafeq.actors.job;

import io.cafeq.actors.measure.LayerWork;
import io.cafeq.actors.node.Node;
import io.cafeq.config.StatisticsSource;
import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.compute.ComputeBackend;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.family.MatrixInputs;
import io.cafeq.engine.measure.EstimatePass;
import io.cafeq.engine.measure.LayerPass;
import io.cafeq.engine.measure.MeasuredInputs;
import io.cafeq.engine.measure.StatisticsFolder;
import io.cafeq.engine.measure.StatisticsPass;
import io.cafeq.engine.measure.StatisticsPlan;
import io.cafeq.engine.measure.StatisticsTokens;
import io.cafeq.engine.measure.TokenMaker;
import io.cafeq.engine.output.OutputFolder;
import io.cafeq.engine.output.ResultIdentity;
import io.cafeq.engine.plan.Plan;
import io.cafeq.engine.statistics.InputStatistics;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * The statistics of one job: their tokens and their files. {@link #look} comes first, {@link
 * #prepare} before anything is measured. Used by the job's thread, but for the work of {@link
 * #work}.
 */
final class JobStatistics {
  private final Checkpoint checkpoint;
  private final StatisticsPlan plan;
  private final OutputFolder output;
  private final StatisticsFolder folder;
  private final Claimant claimant;
  private final StopFlag stop;
  private @Nullable StatisticsTokens tokens;
  private boolean looked;

  JobStatistics(
      Checkpoint checkpoint, StatisticsPlan plan, OutputFolder output, Claimant claimant) {
    this.checkpoint = checkpoint;
    this.plan = plan;
    this.output = output;
    this.folder = new StatisticsFolder(output.root(), checkpoint, plan);
    this.claimant = claimant;
    this.stop = claimant.stop();
  }

  StatisticsPlan plan() {
    return plan;
  }

  /** What is known while units are made. */
  InputStatistics stored() {
    return folder.stored(checkpoint, stop);
  }

  /**
   * Finds what an earlier run left, and changes nothing. Throws with kind USAGE where the folder
   * was made with another text.
   */
  void look() {
    if (looked) {
      return;
    }
    looked = true;
    if (plan.isEmpty()) {
      return;
    }
    Optional<ResultIdentity.Statistics> earlier = earlier();
    Optional<StatisticsTokens> stored =
        folder
            .storedTokens()
            .filter(
                found -> earlier.isEmpty() || earlier.get().tokensSha256().equals(found.sha256()));
    if (stored.isPresent()) {
      requireSameText(stored.get());
      tokens = stored.get();
      folder.keepIntact(stored.get(), stop);
    }
  }

  /** Removes what is unfinished. Throws with kind USAGE where there are files that are not ours. */
  void clean() {
    folder.clean();
  }

  /** A text that is no longer there is no reason not to go on, one that has changed is. */
  private void requireSameText(StatisticsTokens stored) {
    if (plan.choice().used() instanceof StatisticsSource.TextFile(String path)
        && Files.isRegularFile(Path.of(path))
        && !Digests.file(Path.of(path), stop).equals(stored.textSha256())) {
      throw output.different(List.of("statistics: the text " + path + " changed"));
    }
  }

  private Optional<ResultIdentity.Statistics> earlier() {
    return output
        .earlierIdentity()
        .map(ResultIdentity::statistics)
        .filter(statistics -> statistics.source().equals(plan.choice().used().text()));
  }

  /** As far as it is known: until the tokens are made, those of an earlier run. */
  ResultIdentity.Statistics identity() {
    if (plan.isEmpty()) {
      return ResultIdentity.Statistics.NONE;
    }
    StatisticsTokens known = tokens;
    return known != null
        ? new ResultIdentity.Statistics(plan.choice().used().text(), known.sha256())
        : earlier().orElseGet(() -> new ResultIdentity.Statistics(plan.choice().used().text(), ""));
  }

  /** Whether layers are yet to be measured. */
  boolean isOpen() {
    return !folder.missing().isEmpty();
  }

  StatisticsFolder folder() {
    return folder;
  }

  /** Bytes of files that are yet to be written, at most about. */
  long diskNeeded() {
    return plan.fileBytes(folder.missing());
  }

  /** The least native memory that measuring takes. */
  long memoryNeeded() {
    return isOpen() ? plan.memoryNeeded(checkpoint) : 0;
  }

  /** The most native memory that taking them can make use of, where so much is there. */
  long memoryUsable(long there) {
    return plan.isEstimate() ? memoryNeeded() : Math.max(memoryNeeded(), there);
  }

  /**
   * Makes the tokens and puts them down, unless an earlier run did. Throws with kind USAGE where
   * the result was begun with other tokens than can be made now.
   */
  void prepare() {
    if (plan.isEmpty() || tokens != null || !isOpen()) {
      return;
    }
    ComputeBackend opened = claimant.compute().backend();
    StatisticsTokens made = makeTokens(opened);
    Optional<ResultIdentity.Statistics> earlier = earlier();
    if (earlier.isPresent() && !earlier.get().tokensSha256().equals(made.sha256())) {
      throw output.different(
          List.of("statistics: the tokens cannot be reproduced; " + folder.path() + " had them"));
    }
    tokens = made;
    folder.keep(made, opened.kernel(), stop);
    folder.keepIntact(made, stop);
    requireSameSource();
  }

  /** A model that writes takes what there is; what else makes tokens takes next to nothing. */
  private StatisticsTokens makeTokens(ComputeBackend opened) {
    long needed = plan.choice().used() instanceof StatisticsSource.Self ? claimant.pool() : 0;
    try (Node.HeldMemory memory = claimant.claim("tokens", needed, needed)) {
      return new TokenMaker(checkpoint, opened, memory.bytes(), stop).make(plan);
    }
  }

  /**
   * Throws with kind USAGE where an earlier run took statistics of other weights. Reads the
   * weights, so it is called only where something is yet to be made with them.
   */
  void requireSameSource() {
    folder
        .changedSource(stop)
        .ifPresent(
            changed -> {
              throw output.different(List.of(changed));
            });
  }

  /** Measures, or estimates, on whatever thread opens it. */
  LayerWork.Factory work(long memory, StopFlag ownStop) {
    return plan.isEstimate()
        ? () -> new PassWork(EstimatePass.open(checkpoint, plan, folder, ownStop))
        : measuring(memory, ownStop);
  }

  private LayerWork.Factory measuring(long memory, StopFlag ownStop) {
    StatisticsTokens prepared = Objects.requireNonNull(tokens, "the tokens come first");
    return () ->
        new PassWork(
            StatisticsPass.open(
                checkpoint,
                claimant.compute().backend(),
                plan,
                prepared,
                folder,
                memory,
                output.scratch(),
                ownStop));
  }

  /** A pass as work of the stage. */
  private record PassWork(LayerPass pass) implements LayerWork {
    @Override
    public int next() {
      return pass.next();
    }

    @Override
    public void close() {
      pass.close();
    }
  }

  /**
   * Takes all that is missing on the calling thread: for plans that are chosen with it.
   *
   * @param measured told of each layer that was run, and up to which
   */
  InputStatistics takeAll(BiConsumer<Integer, Integer> measured) {
    look();
    requireSameSource();
    prepare();
    if (isOpen()) {
      int end = folder.missing().last() + 1;
      try (Node.HeldMemory memory =
              claimant.claim("statistics", memoryNeeded(), memoryUsable(claimant.pool()));
          LayerWork work = work(memory.bytes(), stop).open()) {
        for (int layer = 0; layer < end; layer++) {
          work.next();
          measured.accept(layer + 1, end);
        }
      }
    }
    return stored();
  }

  /** The order of a plan's units that goes with the layers. */
  UnitOrder order(Plan ofUnits) {
    return new UnitOrder(
        plan.isEmpty()
            ? MeasuredInputs.NOTHING
            : MeasuredInputs.of(ofUnits, MatrixInputs.of(checkpoint)));
  }

  /** What there is by now, for the report; empty only where the recipe takes none. */
  Optional<Manifest.Statistics> soFar() {
    StatisticsTokens known = tokens;
    if (plan.isEmpty()) {
      return Optional.empty();
    }
    return Optional.of(known == null ? manifested().orElseGet(this::untaken) : folder.entry(known));
  }

  private Optional<Manifest.Statistics> manifested() {
    try {
      return output.hasManifest()
          ? Optional.ofNullable(Manifest.read(output.root()).statistics())
          : Optional.empty();
    } catch (EngineException e) {
      if (e.kind() == FailureKind.RESULT) {
        return Optional.empty();
      }
      throw e;
    }
  }

  private Manifest.Statistics untaken() {
    return new Manifest.Statistics(
        plan.choice().asked().text(),
        plan.choice().used().text(),
        0,
        plan.isEstimate() ? 0 : plan.settings().window(),
        identity().tokensSha256(),
        Collections.emptySortedSet(),
        List.of());
  }

  /**
   * What the manifest says; that of an earlier manifest where somebody deleted the whole folder of
   * a finished result.
   */
  Optional<Manifest.Statistics> entry() {
    if (plan.isEmpty()) {
      return Optional.empty();
    }
    return !Files.exists(folder.path()) && output.hasManifest()
        ? manifested()
        : Optional.of(folder.entry(Objects.requireNonNull(tokens, "the tokens come first")));
  }

  /**
   * Whether a finished result has all that it should have of them: the whole folder or none of it.
   */
  boolean isWhole() {
    return plan.isEmpty() || !Files.exists(folder.path()) || (tokens != null && !isOpen());
  }
}
