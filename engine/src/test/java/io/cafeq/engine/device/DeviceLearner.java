package io.cafeq.engine.device;

import io.cafeq.engine.compute.ComputeProvider;
import io.cafeq.engine.compute.Learner;
import io.cafeq.engine.compute.Learners;
import io.cafeq.engine.compute.Learning;
import io.cafeq.engine.compute.LearningAnswer;
import io.cafeq.engine.compute.LearningShape;
import io.cafeq.engine.compute.LearningTask;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.MemoryNeed;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.PairProblem;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A learner as a device would be: it reads a whole batch at once, works on a thread of its own
 * while the lane does something else, and may fail. What it learns is what the reference learns.
 */
public final class DeviceLearner implements Learner {
  private final Learner reference = Learners.open("scalar");
  private final Behaviour behaviour;
  private final AtomicInteger batches = new AtomicInteger();
  private final AtomicInteger answered = new AtomicInteger();
  private final CompletableFuture<Void> secondBatch = new CompletableFuture<>();
  private final ExecutorService queue =
      Executors.newSingleThreadExecutor(
          work -> Thread.ofPlatform().daemon().name("device").unstarted(work));

  /** How the device behaves. */
  enum Behaviour {
    /** Answers all. */
    WELL,
    /** Holds the answers of its first batch back until it is asked for a second one. */
    WAITING_FOR_THE_NEXT,
    /** Answers once, then fails and leaves the rest to the CPU. */
    FALLING_BACK,
    /** Answers once, then fails for good. */
    BROKEN
  }

  DeviceLearner(Behaviour behaviour) {
    this.behaviour = behaviour;
  }

  @Override
  public String id() {
    return "device";
  }

  @Override
  public String kernel() {
    return "device/test";
  }

  @Override
  public String description() {
    return "a thread of the tests";
  }

  @Override
  public boolean worksAhead() {
    return true;
  }

  /** A whole batch lies on the device. */
  @Override
  public MemoryNeed need(List<LearningShape> batch) {
    long weights = batch.stream().mapToLong(LearningShape::weights).sum();
    return reference
        .need(batch)
        .plus(
            new MemoryNeed(
                batch.stream().mapToLong(LearningShape::readBytes).sum(),
                0,
                Float.BYTES * weights));
  }

  @Override
  public Learning submit(List<? extends LearningTask> batch, StopFlag stop) {
    Arena memory = Arena.ofShared();
    try {
      List<LearningTask> uploaded = new ArrayList<>();
      for (LearningTask task : batch) {
        try (Arena room = Arena.ofConfined()) {
          uploaded.add(uploaded(task, room, memory));
        }
      }
      if (batches.incrementAndGet() == 2) {
        secondBatch.complete(null);
      }
      List<CompletableFuture<LearningAnswer>> answers = new ArrayList<>();
      for (LearningTask task : uploaded) {
        answers.add(CompletableFuture.supplyAsync(() -> answer(task, stop), queue));
      }
      return new Batch(memory, answers);
    } catch (RuntimeException | Error failure) {
      memory.close();
      throw failure;
    }
  }

  private static LearningTask uploaded(LearningTask task, Arena room, Arena memory) {
    return switch (task) {
      case LearningTask.Blocks blocks -> {
        LearningTask.BlockStart start = blocks.source().read(room);
        LearningTask.BlockStart own =
            new LearningTask.BlockStart(copy(start.problem(), memory), start.starts());
        yield new LearningTask.Blocks(
            blocks.shape(), blocks.loss(), blocks.steps(), blocks.balanced(), ignored -> own);
      }
      case LearningTask.Pair pair -> {
        LearningTask.PairStart start = pair.source().read(room);
        PairProblem problem = start.problem();
        LearningTask.PairStart own =
            new LearningTask.PairStart(
                new PairProblem(
                    copy(problem.left(), memory),
                    copy(problem.right(), memory),
                    problem.loss(),
                    problem.temperature(),
                    problem.orthogonality()),
                start.start());
        yield new LearningTask.Pair(pair.shape(), pair.schedule(), ignored -> own);
      }
    };
  }

  private static LearnProblem copy(LearnProblem problem, Arena memory) {
    FloatMatrix weights = copy(problem.weights(), memory);
    return switch (problem) {
      case LearnProblem.Rows rows ->
          new LearnProblem.Rows(
              weights,
              rows.group(),
              rows.symmetric(),
              rows.transposed(),
              rows.evenColumns(),
              rows.metric(),
              rows.groupWeights());
      case LearnProblem.Stripe stripe ->
          new LearnProblem.Stripe(
              weights, stripe.blocks(), stripe.group(), stripe.symmetric(), stripe.metric());
    };
  }

  private static PairProblem.Factor copy(PairProblem.Factor factor, Arena memory) {
    return new PairProblem.Factor(
        copy(factor.weights(), memory), factor.side(), factor.group(), factor.symmetric());
  }

  private static FloatMatrix copy(FloatMatrix matrix, Arena memory) {
    FloatMatrix copy = FloatMatrix.allocate(memory, matrix.rows(), matrix.columns());
    copy.segment().copyFrom(matrix.segment().asSlice(0, Float.BYTES * matrix.elements()));
    return copy;
  }

  private LearningAnswer answer(LearningTask task, StopFlag stop) {
    if (behaviour == Behaviour.WAITING_FOR_THE_NEXT) {
      try {
        secondBatch.get(20, TimeUnit.SECONDS);
      } catch (TimeoutException | InterruptedException | ExecutionException e) {
        return new LearningAnswer.Failed("nobody asked for the next batch", "None.", false);
      }
    }
    boolean fails = behaviour == Behaviour.FALLING_BACK || behaviour == Behaviour.BROKEN;
    if (fails && answered.getAndIncrement() > 0) {
      return new LearningAnswer.Failed(
          "the device fell off the bus",
          "Reset the device, or run again with --backend scalar.",
          behaviour == Behaviour.FALLING_BACK);
    }
    return new LearningAnswer.Learned(reference.learn(task, stop));
  }

  private record Batch(
      Arena memory,
      List<CompletableFuture<LearningAnswer>> all,
      Iterator<CompletableFuture<LearningAnswer>> answers)
      implements Learning {
    private Batch(Arena memory, List<CompletableFuture<LearningAnswer>> all) {
      this(memory, all, all.iterator());
    }

    @Override
    public LearningAnswer next() {
      try {
        return answers.next().get();
      } catch (ExecutionException e) {
        throw e.getCause() instanceof RuntimeException known
            ? known
            : new IllegalStateException(e.getCause());
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException("interrupted", e);
      }
    }

    /** The memory is the device's until it is done with it. */
    @Override
    public void close() {
      CompletableFuture<?>[] each = all.toArray(CompletableFuture[]::new);
      CompletableFuture.allOf(each).handle((done, failure) -> null).join();
      memory.close();
    }
  }

  /** Found by ServiceLoader where a test says so. */
  abstract static class Provider implements Learner.Provider {
    private final Behaviour behaviour;

    private Provider(Behaviour behaviour) {
      this.behaviour = behaviour;
    }

    @Override
    public String id() {
      return "device";
    }

    @Override
    public int priority() {
      return 100;
    }

    @Override
    public ComputeProvider.Probe probe() {
      return new ComputeProvider.Probe.Available("a thread of the tests");
    }

    @Override
    public Learner create() {
      return new DeviceLearner(behaviour);
    }
  }

  /** Of a device that answers all. */
  public static final class Well extends Provider {
    public Well() {
      super(Behaviour.WELL);
    }
  }

  /** Of one that waits for a second batch. */
  public static final class Waiting extends Provider {
    public Waiting() {
      super(Behaviour.WAITING_FOR_THE_NEXT);
    }
  }

  /** Of one that fails and leaves the rest to the CPU. */
  public static final class FallingBack extends Provider {
    public FallingBack() {
      super(Behaviour.FALLING_BACK);
    }
  }

  /** Of one that fails for good. */
  public static final class Broken extends Provider {
    public Broken() {
      super(Behaviour.BROKEN);
    }
  }

  /** Of one that is not there. */
  public static final class Missing extends Provider {
    public Missing() {
      super(Behaviour.BROKEN);
    }

    @Override
    public ComputeProvider.Probe probe() {
      return new ComputeProvider.Probe.Unavailable("no such device", "Plug one in.");
    }
  }
}
