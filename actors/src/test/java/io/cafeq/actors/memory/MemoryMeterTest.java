package io.cafeq.actors.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.quantize.UnitMemory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MemoryMeterTest {
  private static final long MIB = 1L << 20;

  @Test
  void addsAnonymousAndSharedPages(@TempDir Path folder) throws Exception {
    Path status = folder.resolve("status");
    Files.writeString(
        status, "VmRSS:\t  900 kB\nRssAnon:\t  100 kB\nRssFile:\t  500 kB\nRssShmem:\t   23 kB\n");

    assertThat(new MemoryMeter.ResidentMemory(status).sample()).isEqualTo(123 * 1024);
  }

  @Test
  void knowsWhereTheSystemDoesNotSay(@TempDir Path folder) {
    assertThat(new MemoryMeter.ResidentMemory(folder.resolve("none")).read()).isEmpty();
    assertThat(new MemoryMeter.JavaMemory().sample()).isPositive();
  }

  @Test
  void theWatcherKeepsThePeakAndSeesTheCap(@TempDir Path folder) throws Exception {
    Path status = folder.resolve("status");
    Files.writeString(status, "RssAnon: 10 kB\nRssShmem: 0 kB\n");
    try (MemoryWatcher watcher =
            MemoryWatcher.start(new MemoryMeter.ResidentMemory(status), 50 * 1024);
        MemoryWatcher.Span span = watcher.span()) {
      assertThat(span.peak()).isEqualTo(10 * 1024);
      assertThat(span.capExceeded()).isFalse();
      Path next = folder.resolve("next");
      Files.writeString(next, "RssAnon: 60 kB\nRssShmem: 0 kB\n");
      Files.move(next, status, StandardCopyOption.ATOMIC_MOVE);
      assertThat(span.peak()).isEqualTo(60 * 1024);
      Files.writeString(next, "RssAnon: 20 kB\nRssShmem: 0 kB\n");
      Files.move(next, status, StandardCopyOption.ATOMIC_MOVE);
      try (MemoryWatcher.Span later = watcher.span()) {
        assertThat(later.peak()).isEqualTo(20 * 1024);
        assertThat(later.capExceeded()).isFalse();
      }
      Files.delete(status);
      assertThat(span.peak()).isEqualTo(60 * 1024);
      assertThat(span.capExceeded()).isTrue();
    }
  }

  @Test
  void theBudgetNamesTheCapThatWouldDo() {
    MemoryBudget budget = new MemoryBudget(1024 * MIB, 384 * MIB);
    Unit unit = new Unit.Copied("copied-00001", List.of());

    assertThat(budget.pool()).isEqualTo(440 * MIB);
    budget.requireFits(unit, new UnitMemory(440 * MIB, 0));
    assertThatThrownBy(() -> budget.requireFits(unit, new UnitMemory(500 * MIB, 0)))
        .isInstanceOfSatisfying(
            EngineException.class,
            failure -> {
              assertThat(failure.kind()).isEqualTo(FailureKind.USAGE);
              assertThat(failure)
                  .hasMessageContaining("copied-00001")
                  .hasMessageContaining("500 MiB");
              assertThat(failure.remedy()).contains("--max-memory 1084m");
            });
    new MemoryBudget(1084 * MIB, 384 * MIB).requireFits(unit, new UnitMemory(500 * MIB, 0));
  }

  @Test
  void unitsClaimTheShareOfTheHeapThatTheyTake() {
    MemoryBudget budget = new MemoryBudget(1084 * MIB, 384 * MIB);
    assertThat(budget.pool()).isEqualTo(500 * MIB);
    assertThat(budget.claim(new UnitMemory(100 * MIB, 0))).isEqualTo(100 * MIB);
    assertThat(budget.claim(new UnitMemory(100 * MIB, 112 * MIB))).isEqualTo(250 * MIB);
    assertThat(budget.claim(new UnitMemory(300 * MIB, 112 * MIB))).isEqualTo(300 * MIB);
    Unit unit = new Unit.Copied("heads", List.of());
    budget.requireFits(unit, new UnitMemory(MIB, 224 * MIB));
    assertThatThrownBy(() -> budget.requireFits(unit, new UnitMemory(MIB, 225 * MIB)))
        .isInstanceOfSatisfying(
            EngineException.class,
            failure -> {
              assertThat(failure.kind()).isEqualTo(FailureKind.USAGE);
              assertThat(failure).hasMessageContaining("225 MiB of the Java heap");
              assertThat(failure.remedy()).contains("-Xmx385m");
            });
  }

  @Test
  void aCapBelowTheHeapStillLeavesAPoolAndSaysSo() {
    MemoryBudget budget = new MemoryBudget(768 * MIB, 4096 * MIB);

    assertThat(budget.pool()).isEqualTo(128 * MIB);
    assertThat(budget.isTight()).isTrue();
    assertThat(new MemoryBudget(768 * MIB, 384 * MIB).isTight()).isFalse();
  }
}
