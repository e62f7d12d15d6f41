package io.cafeq.actors.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.junit.jupiter.api.Test;

/** Who waits for an actor is not left alone when the actors break. */
class JobSystemTest {
  @Test
  void answersArriveAsTheyAre() {
    try (JobSystem system = JobSystem.start(() -> {})) {
      assertThat(system.orEnd(CompletableFuture.completedFuture("answer")).join())
          .isEqualTo("answer");
    }
  }

  @Test
  void aWaitEndsWhenAnActorBreaks() {
    try (JobSystem system = JobSystem.start(() -> {})) {
      CompletableFuture<String> never = system.orEnd(new CompletableFuture<>());
      ActorRef<String> actor =
          system.spawn(
              Behaviors.receiveMessage(
                  message -> {
                    throw new IllegalStateException(message);
                  }),
              "fragile",
              Props.empty());

      actor.tell("broken");

      assertThatThrownBy(() -> never.get(60, TimeUnit.SECONDS))
          .hasMessageContaining("the actors ended");
    }
  }
}
