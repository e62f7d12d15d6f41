package io.cafeq.engine.quantize;

import io.cafeq.config.Recipe;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.MemoryNeed;
import io.cafeq.engine.plan.Planner;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.receipt.JobIdentity;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import io.cafeq.engine.statistics.InputStatistics;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.management.JMException;
import javax.management.ObjectName;

/**
 * A process of its own that makes units of random small plans and prints a line for each: what its
 * parts claimed and what they took. Native memory is what the virtual machine counts as it is given
 * out, so its peak is exact; units go by rising claims, since the peak is that of the process. The
 * heap is what stays after a collection, sampled by a thread.
 */
final class MeasuredUnits {
  private static final Pattern OTHER =
      Pattern.compile("Other \\(.*?\\(malloc=(\\d+).*?\\((?:peak=(\\d+)|at peak)", Pattern.DOTALL);

  private MeasuredUnits() {}

  private record Planned(
      Checkpoint checkpoint, Recipe recipe, Unit.Quantized unit, MemoryNeed claim) {}

  /**
   * Prints "unit", its ID, and native bytes claimed and taken, heap bytes claimed and taken.
   *
   * @param arguments folder, seed, number of plans
   */
  public static void main(String[] arguments) throws Exception {
    Path folder = Path.of(arguments[0]);
    SplittableRandom random = new SplittableRandom(Long.parseLong(arguments[1]));
    Compute compute = Compute.open("scalar");
    List<Planned> planned = new ArrayList<>();
    for (int i = 0; i < Integer.parseInt(arguments[2]); i++) {
      planned.addAll(plan(folder.resolve("model" + i), random, compute));
    }
    planned.sort(Comparator.comparingLong(each -> each.claim().nativeBytes()));
    run(planned.getFirst(), folder.resolve("warm"), compute);
    long nativeBefore = nativeBytes(1);
    for (int i = 0; i < planned.size(); i++) {
      Planned each = planned.get(i);
      long heapBefore = heap();
      try (HeapSampler sampler = new HeapSampler()) {
        run(each, folder.resolve("out" + i), compute);
        System.out.printf(
            "unit %s %d %d %d %d%n",
            each.unit().id(),
            each.claim().nativeBytes(),
            nativeBytes(2) - nativeBefore,
            each.claim().heapBytes(),
            sampler.most() - heapBefore);
      }
    }
  }

  private static List<Planned> plan(Path folder, SplittableRandom random, Compute compute) {
    int head = pick(random, 32, 64);
    int heads = pick(random, 2, 4);
    SampleShape shape =
        new SampleShape(
            1,
            head * heads,
            pick(random, 384, 1000),
            heads,
            pick(random, 1, 2),
            64,
            Dtype.BF16,
            true,
            SampleShape.Distribution.STUDENT,
            0,
            1L << 30);
    SampleCheckpoint.write(shape, random.nextLong(), folder, new StopFlag());
    Map<String, String> keys = new HashMap<>();
    keys.put("method", pick(random, "cafeq", "cafeq", "cafeq", "rtn", "rotation", "hadamard"));
    keys.put("side", pick(random, "input", "output"));
    keys.put("block", pick(random, "16", "32", "64"));
    keys.put("group", pick(random, "32", "64", "channel"));
    keys.put("rounding", pick(random, "nearest", "nearest-plane", "stochastic"));
    keys.put("transform-bits", "16");
    keys.put("steps", "1");
    keys.put("pair-steps", "1");
    keys.put("baselines", pick(random, "on", "off"));
    Recipe recipe = Recipe.of(keys);
    Checkpoint checkpoint = Checkpoint.open(folder);
    return Planner.plan(checkpoint, recipe).units().stream()
        .filter(Unit.Quantized.class::isInstance)
        .map(Unit.Quantized.class::cast)
        .map(
            unit ->
                new Planned(
                    checkpoint, recipe, unit, UnitQuantizer.workNeeded(unit, compute, range -> 0)))
        .toList();
  }

  @SafeVarargs
  private static <T> T pick(SplittableRandom random, T... choices) {
    return choices[random.nextInt(choices.length)];
  }

  private static void run(Planned planned, Path out, Compute compute) throws IOException {
    Files.createDirectories(out.resolve("units"));
    new UnitQuantizer(
            planned.checkpoint(),
            new JobIdentity(planned.recipe().hash(), JobIdentity.ALGORITHM_VERSION),
            compute,
            InputStatistics.NONE,
            new UnitQuantizer.Options(false, planned.recipe().measuresBaselines(), 0))
        .quantize(planned.unit(), out, new StopFlag(), Progress.NONE);
  }

  /** Outside the heap, as arenas and buffers take it: now (1) or at most so far (2). */
  private static long nativeBytes(int which) throws JMException {
    String summary =
        (String)
            ManagementFactory.getPlatformMBeanServer()
                .invoke(
                    new ObjectName("com.sun.management:type=DiagnosticCommand"),
                    "vmNativeMemory",
                    new Object[] {new String[] {"summary", "scale=b"}},
                    new String[] {String[].class.getName()});
    Matcher other = OTHER.matcher(summary);
    if (!other.find()) {
      throw new IllegalStateException(summary);
    }
    String found = other.group(which);
    return Long.parseLong(found == null ? other.group(1) : found);
  }

  /** As the collector left it, whatever was made since. */
  private static long heap() {
    System.gc();
    return ManagementFactory.getMemoryPoolMXBeans().stream()
        .filter(pool -> pool.getType() == MemoryType.HEAP)
        .mapToLong(pool -> pool.getCollectionUsage().getUsed())
        .sum();
  }

  /** Collects and looks, again and again. */
  private static final class HeapSampler implements AutoCloseable {
    private final Thread thread = Thread.ofPlatform().daemon().start(this::sample);
    private volatile long most;
    private volatile boolean closed;

    private void sample() {
      while (!closed) {
        most = Math.max(most, heap());
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(100));
      }
    }

    long most() {
      return most;
    }

    @Override
    public void close() throws InterruptedException {
      closed = true;
      thread.join();
    }
  }
}
