package io.cafeq.actors.memory;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;

/**
 * A pool of bytes. A unit takes all it needs before it starts and never asks for more, so units
 * cannot wait for each other in a circle; whoever asks first is served first, so a large unit is
 * not starved by small ones.
 */
public final class MemoryPermits extends AbstractBehavior<MemoryPermits.Command> {
  /** What the pool is asked. */
  public sealed interface Command {}

  /** Asks for {@code bytes}, which are granted at once or when others have given enough back. */
  public record Acquire(long bytes, ActorRef<Answer> replyTo) implements Command {}

  /** Gives a permit back; a second time is without effect. */
  public record Release(Permit permit) implements Command {}

  /** The answer to {@link Acquire}. */
  public sealed interface Answer {}

  /** The bytes are the asker's until it releases them. */
  public record Permit(long id, long bytes) implements Answer {}

  /** More than the whole pool: waiting would not help. */
  public record TooLarge(long bytes, long pool) implements Answer {}

  private final long pool;
  private final Deque<Acquire> waiting = new ArrayDeque<>();
  private final Map<Long, Permit> granted = new HashMap<>();
  private long free;
  private long nextId;

  private MemoryPermits(ActorContext<Command> context, long pool) {
    super(context);
    this.pool = pool;
    this.free = pool;
  }

  /** A pool of {@code bytes}. */
  public static Behavior<Command> create(long bytes) {
    return Behaviors.setup(context -> new MemoryPermits(context, bytes));
  }

  @Override
  public Receive<Command> createReceive() {
    return newReceiveBuilder().onMessage(Command.class, this::receive).build();
  }

  private Behavior<Command> receive(Command command) {
    switch (command) {
      case Acquire(long bytes, ActorRef<Answer> replyTo) when bytes > pool ->
          replyTo.tell(new TooLarge(bytes, pool));
      case Acquire acquire -> waiting.add(acquire);
      case Release(Permit permit) -> {
        Permit known = granted.remove(permit.id());
        free += known == null ? 0 : known.bytes();
      }
    }
    grant();
    return this;
  }

  private void grant() {
    for (Acquire next = waiting.peek();
        next != null && next.bytes() <= free;
        next = waiting.peek()) {
      waiting.remove();
      Permit permit = new Permit(nextId++, next.bytes());
      free -= permit.bytes();
      granted.put(permit.id(), permit);
      next.replyTo().tell(permit);
    }
  }
}
