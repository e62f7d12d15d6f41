package io.cafeq.actors.runtime;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.actor.NoSerializationVerificationNeeded;
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
 * The actor system of a process. An actor that all jobs need takes the whole system with it when it
 * breaks, and with it every stream that runs on it; one that belongs to a job breaks alone. Either
 * way whoever waits for its answer learns that none will come. Thread-safe.
 */
public final class ActorRuntime implements AutoCloseable {
  private static final String NAME = "cafeq";
  private static final String IO_DISPATCHER = "cafeq-actors.io-dispatcher";
  private static final Duration ANSWER = Duration.ofSeconds(60);
  private static final Duration END = Duration.ofSeconds(1);

  private final ActorSystem<Spawn<?>> system;
  private final CompletableFuture<Void> ended;

  private ActorRuntime(ActorSystem<Spawn<?>> system) {
    this.system = system;
    this.ended =
        system
            .getWhenTerminated()
            .toCompletableFuture()
            .handle(
                (done, failure) -> {
                  throw new IllegalStateException("the actors ended before they answered");
                });
  }

  /**
   * An actor that was started.
   *
   * @param broken completed exceptionally if it breaks, or the system ends
   */
  public record Spawned<T>(ActorRef<T> ref, CompletableFuture<Void> broken) {
    /** The same answer, or a failure as soon as the actor cannot give it any more. */
    public <A> CompletableFuture<A> orBroken(CompletableFuture<A> answer) {
      CompletableFuture<A> first = answer.copy();
      broken.whenComplete(
          (nothing, failure) -> {
            if (failure != null) {
              first.completeExceptionally(failure);
            }
          });
      return first;
    }
  }

  private record Spawn<T>(
      Behavior<T> behavior,
      String name,
      Props props,
      boolean essential,
      ActorRef<Spawned<T>> replyTo)
      implements NoSerializationVerificationNeeded {}

  /** Starts the actor system with the project's own settings. */
  public static ActorRuntime start() {
    return start(config());
  }

  /** Starts it with {@code config}; tests have every message serialized. */
  public static ActorRuntime start(Config config) {
    return new ActorRuntime(ActorSystem.create(guardian(), NAME, config));
  }

  /**
   * Defaults of the libraries under ours; what users set in their own files is checked elsewhere
   * and does not come here.
   */
  public static Config config() {
    return ConfigFactory.parseResources("cafeq-actors.conf")
        .withFallback(ConfigFactory.defaultReference())
        .resolve();
  }

  public ActorSystem<?> actors() {
    return system;
  }

  /** For work that waits for disks. */
  public Executor io() {
    return system.dispatchers().lookup(DispatcherSelector.fromConfig(IO_DISPATCHER));
  }

  /** Runs {@code action} once, later; not at all if the system has ended by then. */
  public void after(Duration delay, Runnable action) {
    system.scheduler().scheduleOnce(delay, action, system.executionContext());
  }

  /** The same answer, or a failure as soon as the system has ended, when no answer can come. */
  public <T> CompletableFuture<T> orEnd(CompletableFuture<T> answer) {
    CompletableFuture<T> first = answer.copy();
    ended.whenComplete((nothing, failure) -> first.completeExceptionally(failure));
    return first;
  }

  /** Starts an actor without which no job can go on: if it breaks, everything ends. */
  public <T> ActorRef<T> spawnEssential(Behavior<T> behavior, String name) {
    return ask(behavior, name, true).ref();
  }

  /** Starts an actor of one job: if it breaks, the others go on. */
  public <T> Spawned<T> spawn(Behavior<T> behavior, String name) {
    return ask(behavior, name, false);
  }

  private <T> Spawned<T> ask(Behavior<T> behavior, String name, boolean essential) {
    return AskPattern.<Spawn<?>, Spawned<T>>ask(
            system,
            replyTo -> new Spawn<>(behavior, name, Props.empty(), essential, replyTo),
            ANSWER,
            system.scheduler())
        .toCompletableFuture()
        .join();
  }

  /** Ends the system; waits a moment for it, but not for a worker that does not return. */
  @Override
  public void close() {
    system.terminate();
    ended
        .handle((nothing, failure) -> nothing)
        .completeOnTimeout(null, END.toMillis(), TimeUnit.MILLISECONDS)
        .join();
  }

  private static Behavior<Spawn<?>> guardian() {
    return Behaviors.setup(
        context -> {
          Map<ActorRef<Void>, Child> children = new HashMap<>();
          return BehaviorBuilder.<Spawn<?>>create()
              .onAnyMessage(
                  spawn -> {
                    spawnAndWatch(context, spawn, children);
                    return Behaviors.same();
                  })
              .onSignal(
                  ChildFailed.class,
                  failed -> {
                    Child child = children.remove(failed.getRef());
                    IllegalStateException broken =
                        new IllegalStateException(
                            "actor " + failed.getRef().path().name() + " broke", failed.getCause());
                    if (child == null || child.essential()) {
                      throw broken;
                    }
                    child.broken().completeExceptionally(broken);
                    return Behaviors.same();
                  })
              .onSignal(
                  Terminated.class,
                  ended -> {
                    children.remove(ended.getRef());
                    return Behaviors.same();
                  })
              .build();
        });
  }

  private record Child(boolean essential, CompletableFuture<Void> broken) {}

  private static <T> void spawnAndWatch(
      ActorContext<Spawn<?>> context, Spawn<T> spawn, Map<ActorRef<Void>, Child> children) {
    ActorRef<T> child = context.spawn(spawn.behavior(), spawn.name(), spawn.props());
    context.watch(child);
    CompletableFuture<Void> broken = new CompletableFuture<>();
    context
        .getSystem()
        .getWhenTerminated()
        .toCompletableFuture()
        .whenComplete(
            (done, failure) ->
                broken.completeExceptionally(
                    new IllegalStateException("the actors ended before they answered")));
    children.put(child.unsafeUpcast(), new Child(spawn.essential(), broken));
    spawn.replyTo().tell(new Spawned<>(child, broken));
  }
}
