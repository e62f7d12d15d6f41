package io.cafeq.actors.lane;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;
import org.junit.jupiter.api.Test;

class TurnsTest {
  private final Turns turns = new Turns();

  @Test
  void withinAJobTheOrderIsThatOfAsking() {
    ask("a", 0, "1", "2", "3");

    assertThat(run(3)).containsExactly("1", "2", "3");
  }

  @Test
  void jobsOfEqualPriorityShareTheLanes() {
    ask("a", 0, "a1", "a2", "a3");
    ask("b", 0, "b1", "b2", "b3");

    assertThat(run(4)).containsExactly("a1", "b1", "a2", "b2");
    turns.ended("b");
    turns.ended("b");
    assertThat(run(2)).containsExactly("b3", "a3");
  }

  @Test
  void aHigherPriorityComesFirst() {
    ask("low", 0, "l1", "l2");
    ask("high", 1, "h1", "h2");

    assertThat(run(3)).containsExactly("h1", "h2", "l1");
  }

  @Test
  void whoNeedsNoLaneDoesNotWaitForOne() {
    ask("a", 0, "a1");
    turns.add(
        new Turns.Waiting(
            "a",
            0,
            5,
            new Turns.Work.OfTask(new LaneHost.RunTask("a", "planning", 0, "task-1", 5))));

    assertThat(turns.next(false)).isEmpty();
    assertThat(turns.next(true)).isPresent();
  }

  private void ask(String job, int priority, String... units) {
    for (String unit : units) {
      turns.add(
          new Turns.Waiting(
              job,
              priority,
              1,
              new Turns.Work.OfUnit(new LaneHost.Process(job, unit, unusedReply()))));
    }
  }

  /** Turns are about who asks, not about who is answered. */
  @SuppressWarnings("NullAway")
  private static ActorRef<UnitNews> unusedReply() {
    return null;
  }

  private List<String> run(int count) {
    List<String> begun = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Turns.Waiting next = turns.next(true).orElseThrow();
      turns.begin(next);
      begun.add(((Turns.Work.OfUnit) next.work()).process().unit());
    }
    return begun;
  }
}
