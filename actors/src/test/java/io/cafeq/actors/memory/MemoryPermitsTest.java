package io.cafeq.actors.memory;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.actors.memory.MemoryPermits.Acquire;
import io.cafeq.actors.memory.MemoryPermits.Answer;
import io.cafeq.actors.memory.MemoryPermits.Permit;
import io.cafeq.actors.memory.MemoryPermits.Release;
import io.cafeq.actors.memory.MemoryPermits.TooLarge;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import org.apache.pekko.actor.testkit.typed.javadsl.BehaviorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.TestInbox;
import org.junit.jupiter.api.Test;

class MemoryPermitsTest {
  private final BehaviorTestKit<MemoryPermits.Command> permits =
      BehaviorTestKit.create(MemoryPermits.create(100));
  private final TestInbox<Answer> answers = TestInbox.create();

  @Test
  void servesInOrderEvenWhereALaterOneWouldFit() {
    acquire(60);
    acquire(50);
    acquire(10);
    Permit first = (Permit) answers.receiveMessage();
    assertThat(answers.hasMessages()).isFalse();

    permits.run(new Release(first));

    assertThat(answers.getAllReceived())
        .extracting(answer -> ((Permit) answer).bytes())
        .containsExactly(50L, 10L);
  }

  @Test
  void refusesAtOnceWhatIsLargerThanThePool() {
    acquire(60);
    acquire(101);

    assertThat(answers.getAllReceived()).contains(new TooLarge(101, 100));
  }

  @Test
  void aPermitGivenBackTwiceCountsOnce() {
    acquire(100);
    Permit whole = (Permit) answers.receiveMessage();
    permits.run(new Release(whole));
    permits.run(new Release(whole));
    acquire(100);
    acquire(1);

    assertThat(answers.getAllReceived()).hasSize(1);
  }

  @Test
  void neverGrantsMoreThanThePoolAndServesEverybody() {
    Random random = new Random(7);
    Deque<Permit> held = new ArrayDeque<>();
    List<Long> asked = new ArrayList<>();
    List<Long> served = new ArrayList<>();
    for (int i = 0; i < 5000; i++) {
      if (held.isEmpty() || random.nextBoolean()) {
        long bytes = random.nextInt(101);
        asked.add(bytes);
        acquire(bytes);
      } else {
        permits.run(new Release(random.nextBoolean() ? held.removeFirst() : held.removeLast()));
      }
      collect(held, served);
      assertThat(held.stream().mapToLong(Permit::bytes).sum()).isLessThanOrEqualTo(100);
    }
    while (!held.isEmpty()) {
      permits.run(new Release(held.removeFirst()));
      collect(held, served);
    }

    assertThat(served).isEqualTo(asked);
  }

  private void collect(Deque<Permit> held, List<Long> served) {
    for (Answer answer : answers.getAllReceived()) {
      held.add((Permit) answer);
      served.add(((Permit) answer).bytes());
    }
  }

  private void acquire(long bytes) {
    permits.run(new Acquire(bytes, answers.getRef()));
  }
}
