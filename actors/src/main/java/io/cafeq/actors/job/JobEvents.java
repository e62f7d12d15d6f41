package io.cafeq.actors.job;

import java.time.Duration;
import java.util.concurrent.CompletionException;
import org.apache.pekko.Done;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.AskPattern;

/**
 * The way to a job's listener, for any thread. Closing waits until it has heard everything, but not
 * for long.
 */
final class JobEvents implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofMillis(500);

  private final JobSystem system;
  private final ActorRef<EventPublisher.Command> publisher;

  JobEvents(JobSystem system, JobListener listener) {
    this.system = system;
    this.publisher = system.spawn(EventPublisher.create(listener), "events", JobSystem.onIo());
  }

  void emit(JobEvent event) {
    publisher.tell(new EventPublisher.Emit(event));
  }

  /** From now on the listener hears how far the board is. */
  void follow(ProgressBoard board, long all) {
    publisher.tell(new EventPublisher.Follow(board, all));
  }

  @Override
  public void close() {
    try {
      AskPattern.<EventPublisher.Command, Done>ask(
              publisher, EventPublisher.Close::new, PATIENCE, system.actors().scheduler())
          .toCompletableFuture()
          .join();
    } catch (CompletionException slow) {
      // the listener still sits over an event; the job does not wait for it
    }
  }
}
