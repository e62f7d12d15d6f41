package io.cafeq.actors.lane;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.ConfigFactory;
import io.cafeq.actors.memory.MemoryBudget;
import io.cafeq.actors.runtime.ActorRuntime;
import io.cafeq.config.RemoteSettings;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.quantize.Progress;
import io.cafeq.engine.quantize.UnitMemory;
import io.cafeq.engine.receipt.UnitReceipt;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Phaser;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;
import java.util.function.Function;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A node with work of the test's own. All messages are serialized. */
class LaneHostTest {
  private static final Duration PATIENCE = Duration.ofSeconds(20);
  private static final long POOL = MemoryBudget.of(4L << 30).pool();

  private final AtomicInteger opened = new AtomicInteger();
  private final AtomicInteger closed = new AtomicInteger();
  private final AtomicInteger sitesClosed = new AtomicInteger();
  private final Set<Thread> threads = ConcurrentHashMap.newKeySet();
  private final LocalTasks tasks = new LocalTasks();
  private ActorTestKit kit;
  private TestProbe<UnitNews> news;
  private @Nullable ActorRef<LaneHost.Command> started;

  @BeforeEach
  void start() {
    kit =
        ActorTestKit.create(
            ConfigFactory.parseString("pekko.actor.serialize-messages = on")
                .withFallback(ActorRuntime.config()));
    news = kit.createTestProbe();
  }

  @AfterEach
  void end() {
    kit.shutdownTestKit();
  }

  @Test
  void aKnownFailureIsAnAnswerAndKeepsTheLane() {
    host(
        1,
        (unit, stop) -> {
          if (unit.equals("bad")) {
            throw new EngineException(FailureKind.CHECKPOINT, "NaN in row 3", "Fix it.");
          }
        });
    open("a", 0);

    process("a", "bad", "good");

    assertThat(failed().failure().message()).isEqualTo("NaN in row 3");
    assertThat(made()).isEqualTo("good");
    assertThat(opened).hasValue(1);
  }

  @Test
  void brokenWorkFailsItsUnitAndIsReplaced() {
    host(
        1,
        (unit, stop) -> {
          if (unit.equals("bad")) {
            throw new IllegalStateException("index 7 out of bounds");
          }
        });
    open("a", 0);

    process("a", "bad", "good");

    UnitNews.Failed failed = failed();
    assertThat(failed.unit()).isEqualTo("bad");
    assertThat(failed.failure().kind()).isEqualTo(FailureKind.RESULT);
    assertThat(failed.failure().message()).contains("bad").contains("index 7 out of bounds");
    assertThat(made()).isEqualTo("good");
    assertThat(opened).hasValue(2);
    assertThat(closed).hasValue(1);
  }

  @Test
  void errorsThatWouldEndTheSystemEndTheWorkerOnly() {
    host(
        1,
        (unit, stop) -> {
          switch (unit) {
            case "link" -> throw new UnsatisfiedLinkError("no blas");
            case "memory" -> throw new OutOfMemoryError("Java heap space");
            default -> {}
          }
        });
    open("a", 0);

    process("a", "link", "memory", "good");

    assertThat(failed().failure().message()).contains("no blas");
    UnitNews.Failed memory = failed();
    assertThat(memory.failure().kind()).isEqualTo(FailureKind.ENVIRONMENT);
    assertThat(memory.failure().remedy()).contains("--lanes", "CAFEQ_JAVA_OPTS");
    assertThat(made()).isEqualTo("good");
  }

  @Test
  void aJobThatCannotBeOpenedIsRefused() {
    started =
        kit.spawn(
            LaneHost.create(
                MemoryBudget.of(4L << 30),
                1,
                (ticket, stop) -> {
                  throw new EngineException(
                      FailureKind.ENVIRONMENT, "no backend", "Run cafeq doctor.");
                },
                tasks));
    TestProbe<LaneHost.OpenAnswer> answers = kit.createTestProbe();

    host().tell(new LaneHost.Open(ticket("a", 0), answers.ref()));

    LaneHost.Refused refused = answers.expectMessageClass(LaneHost.Refused.class, PATIENCE);
    assertThat(refused.failure().message()).isEqualTo("no backend");
    process("a", "1");
    assertThat(failed().failure().message()).contains("job a is not open");
  }

  @Test
  void eachLaneHasOneThreadForLifeAndAllWorkAtOnce() {
    Phaser together = new Phaser(3);
    host(3, (unit, stop) -> together.arriveAndAwaitAdvance());
    open("a", 0);

    process("a", "a", "b", "c", "d", "e", "f");

    assertThat(List.of(made(), made(), made(), made(), made(), made()))
        .containsExactlyInAnyOrder("a", "b", "c", "d", "e", "f");
    assertThat(threads).hasSize(3);
    assertThat(opened).hasValue(3);
  }

  @Test
  void jobsShareALaneEvenly() {
    CountDownLatch gate = new CountDownLatch(1);
    host(1, (unit, stop) -> await(gate));
    open("a", 0);
    open("b", 0);
    open("c", 1);
    process("a", "a1");
    assertStarted("a1");

    process("a", "a2", "a3");
    process("b", "b1", "b2");
    process("c", "c1");
    gate.countDown();

    List<String> order = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      order.add(made());
    }
    assertThat(order.subList(0, 2)).containsExactly("a1", "c1");
    assertThat(order).containsSubsequence("a2", "a3").containsSubsequence("b1", "b2");
  }

  @Test
  void unitsThatDoNotFitTogetherTakeTurns() {
    AtomicInteger running = new AtomicInteger();
    AtomicInteger most = new AtomicInteger();
    host(
        4,
        unit -> new UnitMemory(POOL / 2 - 10, 0),
        (unit, stop) -> {
          most.accumulateAndGet(running.incrementAndGet(), Math::max);
          Thread.yield();
          running.decrementAndGet();
        });
    open("a", 0);

    process("a", "1", "2", "3", "4", "5", "6");

    for (int i = 0; i < 6; i++) {
      made();
    }
    assertThat(most.get()).isBetween(1, 2);
  }

  @Test
  void aUnitLargerThanAllMemoryFailsByItself() {
    host(1, unit -> new UnitMemory(unit.equals("huge") ? POOL + 1 : 1, 0), (unit, stop) -> {});
    open("a", 0);

    process("a", "huge", "small");

    assertThat(failed().failure().kind()).isEqualTo(FailureKind.USAGE);
    assertThat(made()).isEqualTo("small");
  }

  @Test
  void holdingsNameTheJobAndTheUnit() {
    CountDownLatch gate = new CountDownLatch(1);
    host(1, unit -> new UnitMemory(1000, 0), (unit, stop) -> await(gate));
    open("a", 0);
    process("a", "unit-1");
    assertStarted("unit-1");
    TestProbe<LaneHost.Holdings> holdings = kit.createTestProbe();

    host().tell(new LaneHost.ListHoldings(holdings.ref()));

    LaneHost.Holdings held = holdings.receiveMessage(PATIENCE);
    gate.countDown();
    assertThat(held.holdings())
        .singleElement()
        .satisfies(
            holding -> {
              assertThat(holding.job()).isEqualTo("a");
              assertThat(holding.purpose()).isEqualTo("unit-1");
              assertThat(holding.bytes()).isEqualTo(1000);
            });
  }

  @Test
  void aCancelledJobLeavesTheOthers() {
    CountDownLatch begun = new CountDownLatch(1);
    host(
        1,
        (unit, stop) -> {
          if (unit.equals("a1")) {
            begun.countDown();
            while (!stop.isStopped()) {
              Thread.onSpinWait();
            }
            stop.check();
          }
        });
    open("a", 0);
    open("b", 0);
    process("a", "a1", "a2");
    process("b", "b1");
    await(begun);

    host().tell(new LaneHost.Cancel("a"));

    Set<String> notMade = ConcurrentHashMap.newKeySet();
    List<String> done = new ArrayList<>();
    while (notMade.size() + done.size() < 3) {
      switch (news.receiveMessage(PATIENCE)) {
        case UnitNews.NotMade(String unit) -> notMade.add(unit);
        case UnitNews.Made(String unit, UnitReceipt receipt) -> done.add(unit);
        case UnitNews.Failed failed -> throw new AssertionError(failed);
        case UnitNews.Started started -> {}
        case UnitNews.Advanced advanced -> {}
      }
    }
    assertThat(notMade).containsExactlyInAnyOrder("a1", "a2");
    assertThat(done).containsExactly("b1");
  }

  @Test
  void releaseWaitsForTheLastUnitAndClosesTheJob() {
    CountDownLatch gate = new CountDownLatch(1);
    host(1, (unit, stop) -> await(gate));
    open("a", 0);
    process("a", "1");
    assertStarted("1");
    TestProbe<LaneHost.Released> released = kit.createTestProbe();

    host().tell(new LaneHost.Release("a", released.ref()));

    released.expectNoMessage(Duration.ofMillis(100));
    gate.countDown();
    assertThat(released.receiveMessage(PATIENCE)).isEqualTo(new LaneHost.Released("a", 77));
    assertThat(made()).isEqualTo("1");
    news.awaitAssert(
        PATIENCE,
        () -> {
          assertThat(closed).hasValue(1);
          assertThat(sitesClosed).hasValue(1);
          return null;
        });
    process("a", "2");
    assertThat(failed().failure().message()).contains("job a is not open");
  }

  @Test
  void memoryForOtherWorkComesFromTheSamePoolAndIsAskedBack() {
    host(1, unit -> new UnitMemory(POOL, 0), (unit, stop) -> {});
    open("a", 0);
    TestProbe<LaneHost.ClaimAnswer> claims = kit.createTestProbe();
    TestProbe<LaneHost.MakeRoom> room = kit.createTestProbe();
    host().tell(new LaneHost.Claim("b", "statistics", 0, 10, 20, room.ref(), claims.ref()));
    LaneHost.Granted granted = claims.expectMessageClass(LaneHost.Granted.class, PATIENCE);
    assertThat(granted.bytes()).isEqualTo(20);

    process("a", "1");

    room.expectMessage(PATIENCE, new LaneHost.MakeRoom());
    host().tell(new LaneHost.GiveBack(granted.claim()));
    assertThat(made()).isEqualTo("1");
    host().tell(new LaneHost.Claim("b", "statistics", 0, POOL + 1, POOL + 1, null, claims.ref()));
    claims.expectMessage(PATIENCE, new LaneHost.TooLarge(POOL + 1, POOL));
  }

  @Test
  void tasksRunOnLanesAndAreDroppedWithTheirJob() throws Exception {
    CountDownLatch gate = new CountDownLatch(1);
    CountDownLatch begun = new CountDownLatch(1);
    host(1, (unit, stop) -> {});
    LocalTasks.Registered<String> first =
        tasks.register(
            () -> {
              begun.countDown();
              gate.await();
              return "done";
            });
    LocalTasks.Registered<String> second = tasks.register(() -> "never");
    host().tell(new LaneHost.RunTask("b", "planning", 0, first.id(), 5));
    host().tell(new LaneHost.RunTask("b", "planning", 0, second.id(), 5));
    await(begun);

    host().tell(new LaneHost.Cancel("b"));

    assertThat(second.result())
        .failsWithin(PATIENCE)
        .withThrowableThat()
        .withCauseInstanceOf(EngineException.class);
    gate.countDown();
    assertThat(first.result()).succeedsWithin(PATIENCE).isEqualTo("done");
  }

  @Test
  void workIsClosedWhenTheNodeEnds() {
    host(2, (unit, stop) -> {});
    open("a", 0);
    process("a", "a", "b");
    made();
    made();

    kit.stop(host(), PATIENCE);

    assertThat(closed).hasValue(opened.get());
    assertThat(sitesClosed).hasValue(1);
  }

  private void host(int lanes, BiConsumer<String, StopFlag> work) {
    host(lanes, unit -> new UnitMemory(1, 0), work);
  }

  private void host(
      int lanes, Function<String, UnitMemory> memory, BiConsumer<String, StopFlag> work) {
    started =
        kit.spawn(
            LaneHost.create(
                MemoryBudget.of(4L << 30),
                lanes,
                (ticket, stop) -> new RecordingSite(memory, work),
                tasks));
  }

  private ActorRef<LaneHost.Command> host() {
    return Objects.requireNonNull(started);
  }

  private void open(String job, int priority) {
    TestProbe<LaneHost.OpenAnswer> answers = kit.createTestProbe();
    host().tell(new LaneHost.Open(ticket(job, priority), answers.ref()));
    answers.expectMessage(PATIENCE, new LaneHost.Opened(job));
  }

  private static JobTicket ticket(String job, int priority) {
    return new JobTicket(
        job, priority, "model", RemoteSettings.defaults(), "out", "{}", "none", true, "");
  }

  private void process(String job, String... units) {
    for (String unit : units) {
      host().tell(new LaneHost.Process(job, unit, news.ref()));
    }
  }

  private void assertStarted(String unit) {
    assertThat(news.expectMessageClass(UnitNews.Started.class, PATIENCE).unit()).isEqualTo(unit);
  }

  private UnitNews answer() {
    while (true) {
      if (news.receiveMessage(PATIENCE) instanceof UnitNews.Answer answer) {
        return answer;
      }
    }
  }

  private String made() {
    UnitNews answer = answer();
    assertThat(answer).isInstanceOf(UnitNews.Made.class);
    return answer.unit();
  }

  private UnitNews.Failed failed() {
    UnitNews answer = answer();
    assertThat(answer).isInstanceOf(UnitNews.Failed.class);
    return (UnitNews.Failed) answer;
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private final class RecordingSite implements JobSite {
    private final Function<String, UnitMemory> memory;
    private final BiConsumer<String, StopFlag> work;

    RecordingSite(Function<String, UnitMemory> memory, BiConsumer<String, StopFlag> work) {
      this.memory = memory;
      this.work = work;
    }

    @Override
    public UnitMemory memoryNeeded(String unit) {
      return memory.apply(unit);
    }

    @Override
    public UnitWork openLane(StopFlag stop) {
      opened.incrementAndGet();
      return new UnitWork() {
        @Override
        public UnitReceipt run(String unit, Progress progress) {
          threads.add(Thread.currentThread());
          work.accept(unit, stop);
          return new UnitReceipt(unit, "units/" + unit, 1, "00", new TreeMap<>(), "none", null, 0);
        }

        @Override
        public void close() {
          closed.incrementAndGet();
        }
      };
    }

    @Override
    public long bytesRead() {
      return 77;
    }

    @Override
    public void close() {
      sitesClosed.incrementAndGet();
    }
  }
}
