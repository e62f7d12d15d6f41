package io.cafeq.actors.worker;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.ConfigFactory;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.quantize.Progress;
import io.cafeq.engine.receipt.UnitReceipt;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Phaser;
import java.util.function.BiConsumer;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class WorkerPoolTest {
  private final List<Integer> closed = Collections.synchronizedList(new ArrayList<>());
  private final Map<Integer, Set<Thread>> threads = new ConcurrentHashMap<>();
  private final ConcurrentLinkedQueue<Integer> opens = new ConcurrentLinkedQueue<>();
  private final StopFlag stop = new StopFlag();
  private ActorTestKit kit;
  private TestProbe<Outcome> outcomes;

  @BeforeEach
  void start() {
    kit =
        ActorTestKit.create(
            ConfigFactory.parseResources("cafeq-actors.conf")
                .withFallback(ConfigFactory.defaultReference())
                .resolve());
    outcomes = kit.createTestProbe();
  }

  @AfterEach
  void end() {
    kit.shutdownTestKit();
  }

  @Test
  void aKnownFailureIsAnAnswerAndKeepsTheLane() {
    ActorRef<WorkerPool.Command> pool =
        pool(
            1,
            (lane, unit) -> {
              if (unit.id().equals("bad")) {
                throw new EngineException(FailureKind.CHECKPOINT, "NaN in row 3", "Mend it.");
              }
            });

    process(pool, "bad", "good");

    assertThat(failed().failure().message()).isEqualTo("NaN in row 3");
    assertThat(completed().unit().id()).isEqualTo("good");
    assertThat(opens).containsExactly(0);
  }

  @Test
  void brokenWorkFailsItsUnitAndIsReplaced() {
    ActorRef<WorkerPool.Command> pool =
        pool(
            1,
            (lane, unit) -> {
              if (unit.id().equals("bad")) {
                throw new IllegalStateException("index 7 out of bounds");
              }
            });

    process(pool, "bad", "good");

    Outcome.Failed failed = failed();
    assertThat(failed.unit().id()).isEqualTo("bad");
    assertThat(failed.failure().kind()).isEqualTo(FailureKind.RESULT);
    assertThat(failed.failure().message()).contains("bad").contains("index 7 out of bounds");
    assertThat(completed().unit().id()).isEqualTo("good");
    assertThat(opens).containsExactly(0, 0);
    assertThat(closed).containsExactly(0);
  }

  @Test
  void errorsThatWouldEndTheSystemEndTheWorkerOnly() {
    ActorRef<WorkerPool.Command> pool =
        pool(
            1,
            (lane, unit) -> {
              switch (unit.id()) {
                case "link" -> throw new UnsatisfiedLinkError("no blas");
                case "memory" -> throw new OutOfMemoryError("Java heap space");
                default -> {}
              }
            });

    process(pool, "link", "memory", "good");

    assertThat(failed().failure().message()).contains("no blas");
    Outcome.Failed memory = failed();
    assertThat(memory.failure().kind()).isEqualTo(FailureKind.ENVIRONMENT);
    assertThat(memory.failure().remedy()).contains("--lanes", "CAFEQ_JAVA_OPTS");
    assertThat(completed().unit().id()).isEqualTo("good");
  }

  @Test
  void aLaneThatDoesNotOpenFailsItsUnits() {
    ActorRef<WorkerPool.Command> pool =
        kit.spawn(
            WorkerPool.create(
                1,
                lane -> {
                  throw new EngineException(
                      FailureKind.ENVIRONMENT, "no backend", "Run cafeq doctor.");
                },
                stop,
                WorkWatcher.NONE));

    process(pool, "a", "b");

    assertThat(failed().failure().message()).isEqualTo("no backend");
    assertThat(failed().failure().message()).isEqualTo("no backend");
  }

  @Test
  void eachLaneHasOneThreadForLifeAndAllWorkAtOnce() {
    Phaser together = new Phaser(3);
    ActorRef<WorkerPool.Command> pool = pool(3, (lane, unit) -> together.arriveAndAwaitAdvance());

    process(pool, "a", "b", "c");
    assertThat(List.of(completed(), completed(), completed())).hasSize(3);
    process(pool, "d", "e", "f");
    assertThat(List.of(completed(), completed(), completed())).hasSize(3);

    assertThat(opens).containsExactlyInAnyOrder(0, 1, 2);
    assertThat(threads.values()).allSatisfy(used -> assertThat(used).hasSize(1));
    assertThat(threads.values().stream().flatMap(Set::stream).distinct()).hasSize(3);
  }

  @Test
  void unitsWaitInOrderForALane() {
    CountDownLatch gate = new CountDownLatch(1);
    ActorRef<WorkerPool.Command> pool = pool(1, (lane, unit) -> await(gate));

    process(pool, "a", "b", "c", "d");
    gate.countDown();

    assertThat(List.of(completed(), completed(), completed(), completed()))
        .extracting(outcome -> outcome.unit().id())
        .containsExactly("a", "b", "c", "d");
  }

  @Test
  void stoppedMeansThatNothingBegins() {
    ActorRef<WorkerPool.Command> pool = pool(1, (lane, unit) -> {});
    stop.stop();

    process(pool, "a");

    assertThat(failed().failure().kind()).isEqualTo(FailureKind.STOPPED);
    assertThat(opens).isEmpty();
  }

  @Test
  void workIsClosedWhenThePoolEnds() {
    ActorRef<WorkerPool.Command> pool = pool(2, (lane, unit) -> {});
    process(pool, "a", "b");
    completed();
    completed();

    kit.stop(pool, Duration.ofSeconds(20));

    assertThat(closed).hasSameSizeAs(opens);
  }

  private ActorRef<WorkerPool.Command> pool(int lanes, BiConsumer<Integer, Unit> work) {
    return kit.spawn(
        WorkerPool.create(lanes, lane -> new RecordingWork(lane, work), stop, WorkWatcher.NONE));
  }

  private void process(ActorRef<WorkerPool.Command> pool, String... ids) {
    for (String id : ids) {
      pool.tell(new WorkerPool.Process(new Unit.Copied(id, List.of()), outcomes.ref()));
    }
  }

  private Outcome.Completed completed() {
    return outcomes.expectMessageClass(Outcome.Completed.class, Duration.ofSeconds(20));
  }

  private Outcome.Failed failed() {
    return outcomes.expectMessageClass(Outcome.Failed.class, Duration.ofSeconds(20));
  }

  private static void await(CountDownLatch gate) {
    try {
      gate.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private final class RecordingWork implements UnitWork {
    private final int lane;
    private final BiConsumer<Integer, Unit> action;

    RecordingWork(int lane, BiConsumer<Integer, Unit> action) {
      this.lane = lane;
      this.action = action;
      opens.add(lane);
    }

    @Override
    public UnitReceipt run(Unit unit, StopFlag flag, Progress progress) {
      threads
          .computeIfAbsent(lane, key -> ConcurrentHashMap.newKeySet())
          .add(Thread.currentThread());
      action.accept(lane, unit);
      return new UnitReceipt(
          unit.id(), "units/" + unit.id(), 1, "00", new TreeMap<>(), "none", null, 0);
    }

    @Override
    public void close() {
      closed.add(lane);
    }
  }
}
