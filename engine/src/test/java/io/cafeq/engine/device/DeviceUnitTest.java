package io.cafeq.engine.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.cafeq.config.Recipe;
import io.cafeq.engine.block.UnitFileReader;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.checkpoint.ShardedWriter;
import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.compute.Learner;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.family.FamilyShapes;
import io.cafeq.engine.family.MatrixInputs;
import io.cafeq.engine.plan.Planner;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.quantize.UnitMemory;
import io.cafeq.engine.quantize.UnitQuantizer;
import io.cafeq.engine.receipt.JobIdentity;
import io.cafeq.engine.receipt.UnitReceipt;
import io.cafeq.engine.statistics.InputStatistics;
import io.cafeq.engine.transform.Seeds;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/** Whole units with a learner that only the tests' package knows. */
@Timeout(120)
class DeviceUnitTest {
  private static final Recipe RECIPE =
      Recipe.of(
          Map.of(
              "block", "16", "side", "output", "steps", "5", "group", "64", "fall-back", "false"));

  @TempDir Path folder;

  private Checkpoint checkpoint;

  /** Three experts in one unit, each a part. */
  @BeforeEach
  void write() throws IOException {
    List<Entry> entries =
        IntStream.range(0, 3)
            .mapToObj(
                expert ->
                    new Entry(
                        "model.layers.0.block_sparse_moe.experts." + expert + ".w2.weight",
                        Dtype.F32,
                        List.of(32L, 512L)))
            .toList();
    Path source = Files.createDirectories(folder.resolve("source"));
    Files.writeString(source.resolve("config.json"), FamilyShapes.of("mixtral").config());
    try (Arena arena = Arena.ofConfined();
        ShardedWriter writer =
            ShardedWriter.create(
                source, List.of(new ShardedWriter.Shard("model.safetensors", entries)), Map.of())) {
      for (Entry entry : writer.order()) {
        MemorySegment bytes = arena.allocate(entry.bytes(), 8);
        double[] values = Seeds.gaussians(new SplittableRandom(entry.name().hashCode()), 32 * 512);
        for (int i = 0; i < values.length; i++) {
          bytes.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) values[i]);
        }
        writer.append(entry.name(), bytes);
      }
      writer.finish();
    }
    checkpoint = Checkpoint.open(source);
  }

  private Unit.Quantized unit() {
    Unit.Quantized unit =
        Planner.plan(checkpoint, RECIPE).units().stream()
            .filter(Unit.Quantized.class::isInstance)
            .map(Unit.Quantized.class::cast)
            .findFirst()
            .orElseThrow();
    assertThat(unit.parts()).hasSizeGreaterThan(1);
    return unit;
  }

  private record Made(UnitReceipt receipt, Path file, long progress, Compute compute) {}

  private Made make(String name, Class<? extends Learner.Provider> provider) throws IOException {
    try (OnClassPath added = OnClassPath.put(folder.resolve(name + "-path"), provider)) {
      return make(name, Compute.open("auto"));
    }
  }

  private Made make(String name, Compute compute) throws IOException {
    Path out = folder.resolve(name);
    Files.createDirectories(out.resolve("units"));
    AtomicLong progress = new AtomicLong();
    UnitQuantizer quantizer =
        new UnitQuantizer(
            checkpoint,
            new JobIdentity(RECIPE.hash(), JobIdentity.ALGORITHM_VERSION),
            compute,
            InputStatistics.NONE,
            new UnitQuantizer.Options(true, false, 0));
    UnitReceipt receipt = quantizer.quantize(unit(), out, new StopFlag(), progress::addAndGet);
    return new Made(receipt, out.resolve(receipt.file()), progress.get(), compute);
  }

  /** Learning of the reference, rounding of the best backend, as the device has them. */
  private static Compute reference(Compute with) {
    Compute scalar = Compute.open("scalar");
    return new Compute(with.backend(), scalar.learner(), scalar.learner());
  }

  @Test
  void aProviderTakesOverLearning() throws IOException {
    Made device = make("device", DeviceLearner.Well.class);
    assertThat(device.compute().learner()).isInstanceOf(DeviceLearner.class);
    String kernel = device.compute().backend().kernel() + "+device/test";
    assertThat(device.receipt().kernel()).isEqualTo(kernel);
    try (UnitFileReader reader = UnitFileReader.open(device.file())) {
      assertThat(reader.header().kernel()).isEqualTo(kernel);
    }
    Made other = make("reference", reference(device.compute()));
    assertThat(device.receipt().figures()).isEqualTo(other.receipt().figures());
    assertThat(device.progress()).isEqualTo(other.progress());
  }

  @Test
  void theNextPartIsAskedForBeforeTheOneInFrontIsRounded() throws IOException {
    Made device = make("waiting", DeviceLearner.Waiting.class);
    assertThat(device.receipt().kernel()).endsWith("+device/test");
  }

  @Test
  void aDeviceThatFailsMayLeaveTheUnitToTheCpu() throws IOException {
    Logger log = (Logger) LoggerFactory.getLogger(UnitQuantizer.class);
    Level level = log.getLevel();
    ListAppender<ILoggingEvent> lines = new ListAppender<>();
    lines.start();
    log.addAppender(lines);
    log.setLevel(Level.INFO);
    Made fallen;
    try {
      fallen = make("fallen", DeviceLearner.FallingBack.class);
    } finally {
      log.detachAppender(lines);
      log.setLevel(level);
    }
    assertThat(lines.list)
        .singleElement()
        .satisfies(
            line -> {
              assertThat(line.getLevel()).isEqualTo(Level.INFO);
              assertThat(line.getFormattedMessage())
                  .contains(unit().id(), "device", "the device fell off the bus");
            });
    Made cpu = make("cpu", fallen.compute().onTheCpu());
    assertThat(fallen.receipt().kernel()).isEqualTo(cpu.compute().backend().kernel());
    assertThat(Files.mismatch(fallen.file(), cpu.file())).isEqualTo(-1);
    assertThat(fallen.progress()).isEqualTo(cpu.progress());
  }

  @Test
  void aDeviceThatFailsForGoodFailsTheUnitWithItsRemedy() {
    assertThatThrownBy(() -> make("broken", DeviceLearner.Broken.class))
        .isInstanceOfSatisfying(
            EngineException.class,
            failure -> {
              assertThat(failure.kind()).isEqualTo(FailureKind.ENVIRONMENT);
              assertThat(failure).hasMessageContaining("the device fell off the bus");
              assertThat(failure.remedy()).contains("--backend scalar");
            });
    assertThat(folder.resolve("broken/units")).isEmptyDirectory();
  }

  @Test
  void onlyWhatIsAskedForOrWorksIsUsed() throws IOException {
    try (OnClassPath added = OnClassPath.put(folder.resolve("path"), DeviceLearner.Well.class)) {
      assertThat(Compute.open("device").learner().id()).isEqualTo("device");
      assertThat(Compute.open("device").backend().id())
          .isEqualTo(Compute.open("auto").backend().id());
      assertThat(Compute.open("scalar").learner().id()).isEqualTo("scalar");
      assertThat(Compute.open("scalar").kernel()).isEqualTo("scalar");
    }
    try (OnClassPath added =
        OnClassPath.put(folder.resolve("missing"), DeviceLearner.Missing.class)) {
      assertThat(Compute.open("auto").learner().id()).isNotEqualTo("device");
      assertThatThrownBy(() -> Compute.open("device"))
          .isInstanceOf(EngineException.class)
          .hasMessageContaining("no such device. Plug one in.");
    }
  }

  /** Part after part, with the next one's learning beside it. */
  @Test
  void theClaimHoldsWhatIsLearnedAhead() throws IOException {
    Compute cpu = Compute.open("scalar");
    Learner device = new DeviceLearner(DeviceLearner.Behaviour.WELL);
    MatrixInputs inputs = MatrixInputs.of(checkpoint);
    UnitMemory alone = UnitQuantizer.memoryNeeded(unit(), cpu, InputStatistics.NONE, inputs);
    UnitMemory ahead =
        UnitQuantizer.memoryNeeded(
            unit(),
            new Compute(cpu.backend(), device, cpu.learner()),
            InputStatistics.NONE,
            inputs);
    assertThat(ahead.heapBytes()).isGreaterThan(alone.heapBytes());
  }
}
