package io.cafeq.actors.measure;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.ConfigFactory;
import io.cafeq.actors.lane.LaneHost;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.time.Duration;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.IntPredicate;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class LayerKeeperTest {
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final Set<Integer> done = ConcurrentHashMap.newKeySet();
  private final Semaphore measured = new Semaphore(0);
  private final CountDownLatch closed = new CountDownLatch(1);
  private LaneHost.@Nullable Claim claim;
  private ActorTestKit kit;
  private TestProbe<LayerKeeper.Answer> answers;
  private TestProbe<LaneHost.Command> lanes;

  @BeforeEach
  void start() {
    kit =
        ActorTestKit.create(
            ConfigFactory.parseResources("cafeq-actors.conf")
                .withFallback(ConfigFactory.defaultReference())
                .resolve());
    answers = kit.createTestProbe();
    lanes = kit.createTestProbe();
  }

  @AfterEach
  void end() {
    kit.shutdownTestKit();
  }

  @Test
  void layersAreMeasuredOneAheadOfWhatIsAskedForAndNoMore() throws Exception {
    ActorRef<LayerKeeper.Command> keeper = keeper(0, 5, layer -> false, done::contains);

    awaitMeasured(1);
    assertThat(done).containsExactly(0);
    keeper.tell(new LayerKeeper.Await(0, answers.ref()));
    answers.expectMessage(PATIENCE, new LayerKeeper.Ready());
    awaitMeasured(1);
    keeper.tell(new LayerKeeper.Await(1, answers.ref()));
    answers.expectMessage(PATIENCE, new LayerKeeper.Ready());
    awaitMeasured(1);
    assertThat(measured.tryAcquire(100, TimeUnit.MILLISECONDS)).isFalse();
    assertThat(done).containsExactlyInAnyOrder(0, 1, 2);
    assertThat(closed.getCount()).isOne();

    keeper.tell(new LayerKeeper.Await(4, answers.ref()));
    answers.expectMessage(PATIENCE, new LayerKeeper.Ready());
    assertThat(closed.await(30, TimeUnit.SECONDS)).isTrue();
    lanes.expectMessage(PATIENCE, new LaneHost.GiveBack(7));
  }

  @Test
  void layersThatAreThereAreReadyAtOnceAndTheFirstMissingOneIsReached() throws Exception {
    ActorRef<LayerKeeper.Command> keeper =
        keeper(3, 4, layer -> false, layer -> layer != 3 || done.contains(3));

    keeper.tell(new LayerKeeper.Await(1, answers.ref()));
    answers.expectMessage(PATIENCE, new LayerKeeper.Ready());

    awaitMeasured(4);
    lanes.expectMessage(PATIENCE, new LaneHost.GiveBack(7));
  }

  @Test
  void aFailureIsTheAnswerToAllThatWaitAndFreesTheMemory() throws Exception {
    ActorRef<LayerKeeper.Command> keeper = keeper(0, 5, layer -> layer == 1, done::contains);
    keeper.tell(new LayerKeeper.Await(3, answers.ref()));

    LayerKeeper.Failed failed = answers.expectMessageClass(LayerKeeper.Failed.class, PATIENCE);
    assertThat(failed.failure().message()).isEqualTo("layer 1 is damaged");
    keeper.tell(new LayerKeeper.Await(4, answers.ref()));
    answers.expectMessage(PATIENCE, failed);
    keeper.tell(new LayerKeeper.Await(0, answers.ref()));
    answers.expectMessage(PATIENCE, new LayerKeeper.Ready());
    assertThat(closed.await(30, TimeUnit.SECONDS)).isTrue();
    lanes.expectMessage(PATIENCE, new LaneHost.GiveBack(7));
  }

  @Test
  void aFaultOfTheProgramIsAFailureToo() throws Exception {
    ActorRef<LayerKeeper.Command> keeper =
        keeper(
            0,
            5,
            layer -> {
              throw new IllegalStateException("broken");
            },
            done::contains);
    keeper.tell(new LayerKeeper.Await(0, answers.ref()));

    LayerKeeper.Failed failed = answers.expectMessageClass(LayerKeeper.Failed.class, PATIENCE);
    assertThat(failed.failure().message()).contains("broken");
    assertThat(closed.await(30, TimeUnit.SECONDS)).isTrue();
    lanes.expectMessage(PATIENCE, new LaneHost.GiveBack(7));
  }

  private ActorRef<LayerKeeper.Command> keeper(
      int first, int end, IntPredicate damaged, IntPredicate isReady) {
    LayerWork.Factory work =
        () ->
            new LayerWork() {
              private int next;

              @Override
              public int next() {
                if (damaged.test(next)) {
                  throw new EngineException(
                      FailureKind.CHECKPOINT, "layer " + next + " is damaged", "Fix it.");
                }
                done.add(next);
                return next++;
              }

              @Override
              public void close() {
                closed.countDown();
              }
            };
    ActorRef<LayerKeeper.Command> keeper =
        kit.spawn(
            LayerKeeper.create(
                new LayerKeeper.Task(
                    first, end, isReady, bytes -> work, layer -> measured.release()),
                new LayerKeeper.Memory(lanes.ref(), "job-1", 0, 10, 20)));
    LaneHost.Claim asked = lanes.expectMessageClass(LaneHost.Claim.class, PATIENCE);
    claim = asked;
    assertThat(asked.least()).isEqualTo(10);
    asked.replyTo().tell(new LaneHost.Granted(7, 20));
    return keeper;
  }

  @Test
  void runsAheadToItsEndWhereOthersWaitForItsMemory() throws Exception {
    keeper(0, 5, layer -> false, done::contains);
    awaitMeasured(1);

    Objects.requireNonNull(Objects.requireNonNull(claim).holder()).tell(new LaneHost.MakeRoom());

    awaitMeasured(4);
    lanes.expectMessage(PATIENCE, new LaneHost.GiveBack(7));
  }

  @Test
  void aJobThatEndsEarlyGivesTheMemoryBack() throws Exception {
    ActorRef<LayerKeeper.Command> keeper = keeper(0, 5, layer -> false, done::contains);
    awaitMeasured(1);

    keeper.tell(new LayerKeeper.End());

    lanes.expectMessage(PATIENCE, new LaneHost.GiveBack(7));
    assertThat(closed.await(30, TimeUnit.SECONDS)).isTrue();
  }

  private void awaitMeasured(int layers) throws InterruptedException {
    assertThat(measured.tryAcquire(layers, 30, TimeUnit.SECONDS)).isTrue();
  }
}
