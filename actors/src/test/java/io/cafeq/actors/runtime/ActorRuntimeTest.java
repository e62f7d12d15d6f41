package io.cafeq.actors.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.junit.jupiter.api.Test;

/** Who waits for an actor is not left alone when it breaks. */
class ActorRuntimeTest {
  @Test
  void answersArriveAsTheyAre() {
    try (ActorRuntime runtime = ActorRuntime.start()) {
      assertThat(runtime.orEnd(CompletableFuture.completedFuture("answer")).join())
          .isEqualTo("answer");
    }
  }

  @Test
  void everyWaitEndsWhenAnEssentialActorBreaks() {
    try (ActorRuntime runtime = ActorRuntime.start()) {
      CompletableFuture<String> never = runtime.orEnd(new CompletableFuture<>());
      ActorRef<String> actor = runtime.spawnEssential(fragile(), "fragile");

      actor.tell("broken");

      assertThatThrownBy(() -> never.get(60, TimeUnit.SECONDS))
          .hasMessageContaining("the actors ended");
    }
  }

  @Test
  void anActorOfOneJobBreaksAlone() {
    try (ActorRuntime runtime = ActorRuntime.start()) {
      ActorRuntime.Spawned<String> broken = runtime.spawn(fragile(), "fragile");
      CompletableFuture<String> never = broken.orBroken(new CompletableFuture<>());

      broken.ref().tell("broken");

      assertThatThrownBy(() -> never.get(60, TimeUnit.SECONDS))
          .hasMessageContaining("actor fragile broke");
      assertThat(runtime.spawn(fragile(), "other").broken()).isNotDone();
    }
  }

  private static Behavior<String> fragile() {
    return Behaviors.receiveMessage(
        message -> {
          throw new IllegalStateException(message);
        });
  }
}
