package io.cafeq.actors.job;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.ChildFailed;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.Terminated;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.actor.typed.javadsl.BehaviorBuilder;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/**
 * The actor system of one job. If one of its actors breaks, the whole system ends and with it every
 * stream that runs on it, so that nobody waits for an answer that cannot come.
 */
final class JobSystem implements AutoCloseable {
  private static final String NAME = "cafeq";
  private static final String IO_DISPATCHER = "cafeq-actors.io-dispatcher";
  private static final Duration ANSWER = Duration.ofSeconds(60);
  private static final Duration END = Duration.ofSeconds(1);

  private final ActorSystem<Spawn<?>> system;
  private final CompletableFuture<Void> ended;

  private JobSystem(ActorSystem<Spawn<?>> system, Runnable atEnd) {
    this.system = system;
    this.ended =
        system.getWhenTerminated().toCompletableFuture().thenRunAsync(atEnd, Runnable::run);
  }

  private record Spawn<T>(
      Behavior<T> behavior, String name, Props props, ActorRef<ActorRef<T>> replyTo) {}

  /**
   * @param atEnd is run when all actors have ended, workers with their native memory included,
   *     whenever that is
   */
  static JobSystem start(Runnable atEnd) {
    return new JobSystem(ActorSystem.create(guardian(), NAME, config()), atEnd);
  }

  /**
   * Defaults of the libraries under ours; what users set in their own files is checked elsewhere
   * and does not come here.
   */
  static Config config() {
    return ConfigFactory.parseResources("cafeq-actors.conf")
        .withFallback(ConfigFactory.defaultReference())
        .resolve();
  }

  ActorSystem<?> actors() {
    return system;
  }

  /** For work that waits for disks. */
  Executor io() {
    return system.dispatchers().lookup(DispatcherSelector.fromConfig(IO_DISPATCHER));
  }

  /** Runs {@code action} once, later; not at all if the system has ended by then. */
  void after(Duration delay, Runnable action) {
    system.scheduler().scheduleOnce(delay, action, system.executionContext());
  }

  /** The same answer, or a failure as soon as the system has ended, since nobody answers then. */
  <T> CompletableFuture<T> orEnd(CompletableFuture<T> answer) {
    CompletableFuture<T> first = answer.copy();
    ended.whenComplete(
        (nothing, failure) ->
            first.completeExceptionally(
                new IllegalStateException("the actors ended before they answered", failure)));
    return first;
  }

  /** For actors that wait for something other than messages. */
  static Props onIo() {
    return DispatcherSelector.fromConfig(IO_DISPATCHER);
  }

  <T> ActorRef<T> spawn(Behavior<T> behavior, String name, Props props) {
    return AskPattern.<Spawn<?>, ActorRef<T>>ask(
            system,
            replyTo -> new Spawn<>(behavior, name, props, replyTo),
            ANSWER,
            system.scheduler())
        .toCompletableFuture()
        .join();
  }

  /** Ends the system; waits a moment for it, but not for a worker that does not return. */
  @Override
  public void close() {
    system.terminate();
    ended.copy().completeOnTimeout(null, END.toMillis(), TimeUnit.MILLISECONDS).join();
  }

  private static Behavior<Spawn<?>> guardian() {
    return Behaviors.setup(
        context ->
            BehaviorBuilder.<Spawn<?>>create()
                .onAnyMessage(
                    spawn -> {
                      spawnAndWatch(context, spawn);
                      return Behaviors.same();
                    })
                .onSignal(
                    ChildFailed.class,
                    failed -> {
                      throw new IllegalStateException(
                          "actor " + failed.getRef().path().name() + " broke", failed.getCause());
                    })
                .onSignal(Terminated.class, ended -> Behaviors.same())
                .build());
  }

  private static <T> void spawnAndWatch(ActorContext<Spawn<?>> context, Spawn<T> spawn) {
    ActorRef<T> child = context.spawn(spawn.behavior(), spawn.name(), spawn.props());
    context.watch(child);
    spawn.replyTo().tell(child);
  }
}
