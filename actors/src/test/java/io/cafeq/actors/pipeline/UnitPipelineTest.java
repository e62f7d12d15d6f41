package io.cafeq.actors.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import io.cafeq.actors.memory.MemoryPermits;
import io.cafeq.actors.worker.Outcome;
import io.cafeq.actors.worker.WorkerPool;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.report.UnitFailure;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class UnitPipelineTest {
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final ConcurrentLinkedQueue<Outcome> outcomes = new ConcurrentLinkedQueue<>();
  private ActorTestKit kit;
  private TestProbe<WorkerPool.Command> pool;

  @BeforeEach
  void start() {
    kit =
        ActorTestKit.create(
            ConfigFactory.parseResources("cafeq-actors.conf")
                .withFallback(ConfigFactory.defaultReference())
                .resolve());
    pool = kit.createTestProbe();
  }

  @AfterEach
  void end() {
    kit.shutdownTestKit();
  }

  @Test
  void asManyUnitsAreUnderWayAsMemoryAllows() throws Exception {
    UnitPipeline.Running running = pipeline(4, 100, 50).start(units(3), outcomes::add);

    WorkerPool.Process first = next();
    WorkerPool.Process second = next();
    pool.expectNoMessage(Duration.ZERO);
    fail(first, FailureKind.CHECKPOINT);
    WorkerPool.Process third = next();
    fail(third, FailureKind.CHECKPOINT);
    fail(second, FailureKind.CHECKPOINT);

    running.end().get(30, TimeUnit.SECONDS);
    assertThat(List.of(first, second, third))
        .extracting(process -> process.unit().id())
        .containsExactly("0", "1", "2");
    assertThat(outcomes).hasSize(3);
  }

  @Test
  void aFullDiskLetsNoFurtherUnitBegin() throws Exception {
    UnitPipeline.Running running = pipeline(1, 100, 50).start(units(4), outcomes::add);

    fail(next(), FailureKind.ENVIRONMENT);

    running.end().get(30, TimeUnit.SECONDS);
    pool.expectNoMessage(Duration.ZERO);
    assertThat(outcomes).hasSize(4).filteredOn(Outcome.NotStarted.class::isInstance).hasSize(3);
  }

  @Test
  void aUnitLargerThanThePoolFailsByItself() throws Exception {
    pipeline(2, 100, 101).start(units(2), outcomes::add).end().get(30, TimeUnit.SECONDS);

    assertThat(outcomes)
        .hasSize(2)
        .allSatisfy(outcome -> assertThat(outcome).isInstanceOf(Outcome.Failed.class));
  }

  @Test
  void endsAtOnceWhenAbortedThoughTheLastUnitHangs() {
    UnitPipeline.Running running = pipeline(2, 100, 50).start(units(1), outcomes::add);
    next();

    running.abort(new IllegalStateException("too late"));

    assertThatThrownBy(() -> running.end().get(30, TimeUnit.SECONDS))
        .hasRootCauseMessage("too late");
  }

  @Test
  void aUnitWaitsAtTheGateAndWhomItRefusesFails() throws Exception {
    CompletableFuture<Optional<UnitFailure>> closed = new CompletableFuture<>();
    UnitFailure reason = new UnitFailure(FailureKind.CHECKPOINT, "never", "Mend it.");
    UnitPipeline.Gate gate =
        unit ->
            switch (unit.id()) {
              case "0" -> CompletableFuture.completedStage(Optional.empty());
              case "1" -> closed;
              default -> CompletableFuture.completedStage(Optional.of(reason));
            };
    UnitPipeline.Running running = pipeline(gate, 2, 100, 50).start(units(3), outcomes::add);

    fail(next(), FailureKind.CHECKPOINT);
    pool.expectNoMessage(Duration.ofMillis(100));
    closed.complete(Optional.empty());
    WorkerPool.Process second = next();
    assertThat(second.unit().id()).isEqualTo("1");
    fail(second, FailureKind.CHECKPOINT);

    running.end().get(30, TimeUnit.SECONDS);
    assertThat(outcomes).hasSize(3).contains(new Outcome.Failed(units(3).getLast(), reason));
  }

  private UnitPipeline pipeline(int lanes, long poolBytes, long unitBytes) {
    return pipeline(UnitPipeline.Gate.OPEN, lanes, poolBytes, unitBytes);
  }

  private UnitPipeline pipeline(UnitPipeline.Gate gate, int lanes, long poolBytes, long unitBytes) {
    return new UnitPipeline(
        kit.system(),
        gate,
        kit.spawn(MemoryPermits.create(poolBytes)),
        pool.ref(),
        unit -> unitBytes,
        lanes);
  }

  private WorkerPool.Process next() {
    return pool.expectMessageClass(WorkerPool.Process.class, PATIENCE);
  }

  private static void fail(WorkerPool.Process process, FailureKind kind) {
    process
        .replyTo()
        .tell(new Outcome.Failed(process.unit(), new UnitFailure(kind, "failed", "Mend it.")));
  }

  private static List<Unit> units(int count) {
    return IntStream.range(0, count)
        .<Unit>mapToObj(i -> new Unit.Copied(Integer.toString(i), List.of()))
        .toList();
  }
}
