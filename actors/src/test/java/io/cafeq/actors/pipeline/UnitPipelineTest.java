package io.cafeq.actors.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cafeq.actors.lane.LaneHost;
import io.cafeq.actors.lane.UnitNews;
import io.cafeq.actors.runtime.ActorRuntime;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.report.UnitFailure;
import io.cafeq.engine.report.UnitResult;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class UnitPipelineTest {
  private final ConcurrentLinkedQueue<UnitResult> results = new ConcurrentLinkedQueue<>();
  private final ConcurrentLinkedQueue<UnitNews> news = new ConcurrentLinkedQueue<>();
  private final BlockingQueue<LaneHost.Command> asked = new LinkedBlockingQueue<>();
  private ActorRuntime runtime;
  private ActorRef<LaneHost.Command> lanes;

  @BeforeEach
  void start() {
    runtime = ActorRuntime.start();
    lanes =
        runtime.spawnEssential(
            Behaviors.receiveMessage(
                command -> {
                  asked.add(command);
                  return Behaviors.same();
                }),
            "lanes");
  }

  @AfterEach
  void end() {
    runtime.close();
  }

  @Test
  void soManyUnitsAreAskedForInOrder() throws Exception {
    UnitPipeline.Running running = start(pipeline(UnitPipeline.Gate.OPEN, 2), 3);

    LaneHost.Process first = next();
    LaneHost.Process second = next();
    assertThat(asked).isEmpty();
    fail(first, FailureKind.CHECKPOINT);
    LaneHost.Process third = next();
    fail(third, FailureKind.CHECKPOINT);
    fail(second, FailureKind.CHECKPOINT);

    running.end().get(30, TimeUnit.SECONDS);
    assertThat(List.of(first, second, third))
        .extracting(LaneHost.Process::unit)
        .containsExactly("0", "1", "2");
    assertThat(results).hasSize(3).allMatch(UnitResult.Failed.class::isInstance);
  }

  @Test
  void newsOfAUnitComeBeforeItsResult() throws Exception {
    UnitPipeline.Running running = start(pipeline(UnitPipeline.Gate.OPEN, 1), 1);
    LaneHost.Process process = next();

    process.replyTo().tell(new UnitNews.Started("0", 0));
    process.replyTo().tell(new UnitNews.Advanced("0", 5));
    process.replyTo().tell(new UnitNews.NotMade("0"));

    running.end().get(30, TimeUnit.SECONDS);
    assertThat(news).containsExactly(new UnitNews.Started("0", 0), new UnitNews.Advanced("0", 5));
    assertThat(results).singleElement().isInstanceOf(UnitResult.Missing.class);
  }

  @Test
  void aFullDiskLetsNoFurtherUnitBegin() throws Exception {
    UnitPipeline.Running running = start(pipeline(UnitPipeline.Gate.OPEN, 1), 4);

    fail(next(), FailureKind.ENVIRONMENT);

    running.end().get(30, TimeUnit.SECONDS);
    assertThat(asked).containsExactly(new LaneHost.Withdraw("job"));
    assertThat(results).hasSize(4).filteredOn(UnitResult.Missing.class::isInstance).hasSize(3);
  }

  @Test
  void endsAtOnceWhenAbortedThoughTheLastUnitHangs() throws Exception {
    UnitPipeline.Running running = start(pipeline(UnitPipeline.Gate.OPEN, 2), 1);
    next();

    running.abort(new IllegalStateException("too late"));

    assertThatThrownBy(() -> running.end().get(30, TimeUnit.SECONDS))
        .hasRootCauseMessage("too late");
  }

  @Test
  void aUnitWaitsAtTheGateAndWhomItRefusesFails() throws Exception {
    CompletableFuture<Optional<UnitFailure>> closed = new CompletableFuture<>();
    UnitFailure reason = new UnitFailure(FailureKind.CHECKPOINT, "never", "Fix it.");
    UnitPipeline.Gate gate =
        unit ->
            switch (unit.id()) {
              case "0" -> CompletableFuture.completedStage(Optional.empty());
              case "1" -> closed;
              default -> CompletableFuture.completedStage(Optional.of(reason));
            };
    UnitPipeline.Running running = start(pipeline(gate, 2), 3);

    fail(next(), FailureKind.CHECKPOINT);
    assertThat(asked.poll(100, TimeUnit.MILLISECONDS)).isNull();
    closed.complete(Optional.empty());
    LaneHost.Process second = next();
    assertThat(second.unit()).isEqualTo("1");
    fail(second, FailureKind.CHECKPOINT);

    running.end().get(30, TimeUnit.SECONDS);
    assertThat(results).hasSize(3).contains(new UnitResult.Failed(units(3).getLast(), reason));
  }

  private UnitPipeline pipeline(UnitPipeline.Gate gate, int inFlight) {
    return new UnitPipeline(runtime, lanes, "job", gate, inFlight);
  }

  private UnitPipeline.Running start(UnitPipeline pipeline, int units) {
    return pipeline.start(units(units), new UnitPipeline.Listener(news::add, results::add));
  }

  private LaneHost.Process next() throws InterruptedException {
    return (LaneHost.Process) asked.poll(30, TimeUnit.SECONDS);
  }

  private static void fail(LaneHost.Process process, FailureKind kind) {
    process
        .replyTo()
        .tell(new UnitNews.Failed(process.unit(), new UnitFailure(kind, "failed", "Fix it.")));
  }

  private static List<Unit> units(int count) {
    return IntStream.range(0, count)
        .<Unit>mapToObj(i -> new Unit.Copied(Integer.toString(i), List.of()))
        .toList();
  }
}
