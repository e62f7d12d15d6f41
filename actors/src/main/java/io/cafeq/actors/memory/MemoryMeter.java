package io.cafeq.actors.memory;

import java.io.IOException;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;

/** A way to tell how much memory this process takes now. */
public sealed interface MemoryMeter {
  /** Bytes. */
  long sample();

  /** What is measured, for the report. */
  String description();

  /** The best one that works here. */
  static MemoryMeter forThisProcess() {
    ResidentMemory resident = new ResidentMemory(Path.of("/proc/self/status"));
    return resident.read().isPresent() ? resident : new JavaMemory();
  }

  /** Linux: anonymous and shared pages of this process; the page cache does not count. */
  record ResidentMemory(Path status) implements MemoryMeter {
    @Override
    public long sample() {
      return read().orElse(0);
    }

    /** Empty where the system does not say. */
    OptionalLong read() {
      try {
        long sum = 0;
        int found = 0;
        for (String line : Files.readString(status, StandardCharsets.ISO_8859_1).split("\n", -1)) {
          if (line.startsWith("RssAnon:") || line.startsWith("RssShmem:")) {
            sum += Long.parseLong(line.replaceAll("\\D", "")) << 10;
            found++;
          }
        }
        return found == 2 ? OptionalLong.of(sum) : OptionalLong.empty();
      } catch (IOException | NumberFormatException e) {
        return OptionalLong.empty();
      }
    }

    @Override
    public String description() {
      return "RssAnon + RssShmem";
    }
  }

  /** Elsewhere: what Java knows of itself, which leaves out native libraries. */
  record JavaMemory() implements MemoryMeter {
    @Override
    public long sample() {
      Runtime runtime = Runtime.getRuntime();
      long direct =
          ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class).stream()
              .mapToLong(BufferPoolMXBean::getMemoryUsed)
              .sum();
      return runtime.totalMemory() + direct;
    }

    @Override
    public String description() {
      return "estimate: Java heap + direct buffers";
    }
  }
}
