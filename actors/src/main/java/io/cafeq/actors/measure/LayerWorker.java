package io.cafeq.actors.measure;

import io.cafeq.actors.lane.NodeLocal;
import io.cafeq.actors.runtime.LogContext;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.FullHeap;
import io.cafeq.engine.report.UnitFailure;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.jspecify.annotations.Nullable;

/** Owns the {@link LayerWork}, on a thread of its own; gives its memory back when it stops. */
final class LayerWorker extends AbstractBehavior<LayerWorker.Next> {
  /** Asks for one more layer. */
  record Next(ActorRef<Answer> replyTo) implements NodeLocal {}

  /** What came of it. */
  sealed interface Answer extends NodeLocal {}

  /** The layer's statistics stand. */
  record Measured(int layer) implements Answer {}

  /** There will be no more of them. */
  record Failed(UnitFailure failure) implements Answer {}

  private final String job;
  private final LayerWork.Factory factory;
  private @Nullable LayerWork work;

  private LayerWorker(ActorContext<Next> context, String job, LayerWork.Factory factory) {
    super(context);
    this.job = job;
    this.factory = factory;
  }

  static Behavior<Next> create(String job, LayerWork.Factory factory) {
    return Behaviors.setup(context -> new LayerWorker(context, job, factory));
  }

  @Override
  public Receive<Next> createReceive() {
    return newReceiveBuilder()
        .onMessage(Next.class, this::next)
        .onSignal(PostStop.class, signal -> end())
        .build();
  }

  private Behavior<Next> next(Next message) {
    message.replyTo().tell(LogContext.of(job, this::measure));
    return this;
  }

  private Answer measure() {
    try {
      if (work == null) {
        work = factory.open();
      }
      return new Measured(work.next());
    } catch (EngineException e) {
      return new Failed(UnitFailure.of(e));
    } catch (OutOfMemoryError error) {
      closeWork();
      return new Failed(
          new UnitFailure(
              FailureKind.ENVIRONMENT,
              "the process ran out of memory while it took statistics (" + error.getMessage() + ")",
              "Run the same command again with a larger Java heap, such as "
                  + FullHeap.larger()
                  + ", or into another folder with a smaller --statistics-width."));
    } catch (Throwable broken) {
      // Pekko takes some errors for the end of the whole system; wrapped, they end the statistics
      // alone.
      closeWork();
      throw new IllegalStateException("taking statistics broke: " + broken, broken);
    }
  }

  private Behavior<Next> end() {
    closeWork();
    return this;
  }

  private void closeWork() {
    LayerWork open = work;
    work = null;
    if (open != null) {
      open.close();
    }
  }
}
