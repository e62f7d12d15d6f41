package io.cafeq.actors.job;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.apache.pekko.NotUsed;
import org.apache.pekko.japi.Pair;
import org.apache.pekko.stream.javadsl.Source;
import org.jspecify.annotations.Nullable;

/**
 * The events of one job. Whoever listens hears all of them in order, from the first, at its own
 * pace; of progress only what is new when it asks. So no lane ever waits for a listener.
 * Thread-safe.
 */
final class EventLog {
  private final List<JobEvent> events = new ArrayList<>();
  private CompletableFuture<Void> change = new CompletableFuture<>();
  private @Nullable ProgressBoard board;
  private long all;
  private long lastDone = -1;
  private boolean closed;

  /** What a listener has heard: so many events, and weights that were done. */
  private record Position(int events, long done) {}

  /** Everything, then the end. */
  Source<JobEvent, NotUsed> events() {
    return Source.unfoldAsync(new Position(0, -1), this::after);
  }

  synchronized void emit(JobEvent event) {
    if (!closed) {
      events.add(event);
      changed();
    }
  }

  /** From now on progress is part of the events, out of {@code all} weights. */
  synchronized void follow(ProgressBoard progress, long weights) {
    board = progress;
    all = weights;
  }

  /** Looks whether there is progress; called some times a second. */
  synchronized void tick() {
    ProgressBoard followed = board;
    if (followed != null && followed.done() != lastDone) {
      lastDone = followed.done();
      changed();
    }
  }

  /** There will be no further events. */
  synchronized void close() {
    tick();
    closed = true;
    changed();
  }

  private void changed() {
    CompletableFuture<Void> before = change;
    change = new CompletableFuture<>();
    // on another thread: this one holds the lock, and may be a lane's
    before.completeAsync(() -> null);
  }

  private synchronized CompletionStage<Optional<Pair<Position, JobEvent>>> after(
      Position position) {
    if (position.events() < events.size()) {
      JobEvent event = events.get(position.events());
      return told(new Position(position.events() + 1, position.done()), event);
    }
    if (lastDone > position.done()) {
      return told(
          new Position(position.events(), lastDone), new JobEvent.WeightsAdvanced(lastDone, all));
    }
    return closed
        ? CompletableFuture.completedStage(Optional.empty())
        : change.thenCompose(nothing -> after(position));
  }

  private static CompletionStage<Optional<Pair<Position, JobEvent>>> told(
      Position position, JobEvent event) {
    return CompletableFuture.completedStage(Optional.of(Pair.create(position, event)));
  }
}
