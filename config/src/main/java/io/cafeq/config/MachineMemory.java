package io.cafeq.config;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** How much memory the machine has. */
public final class MachineMemory {
  private static final Pattern TOTAL = Pattern.compile("MemTotal:\\s*(\\d+) kB");

  private MachineMemory() {}

  /** MemTotal of /proc/meminfo in bytes; where there is no such file, what the JVM says. */
  public static long totalBytes() {
    try {
      OptionalLong total = totalBytes(Files.readAllLines(Path.of("/proc/meminfo")));
      if (total.isPresent()) {
        return total.getAsLong();
      }
    } catch (IOException notLinux) {
      return jvmTotalBytes();
    }
    return jvmTotalBytes();
  }

  static OptionalLong totalBytes(List<String> meminfo) {
    return meminfo.stream()
        .map(TOTAL::matcher)
        .filter(Matcher::matches)
        .mapToLong(matcher -> Long.parseLong(matcher.group(1)) * 1024)
        .findFirst();
  }

  private static long jvmTotalBytes() {
    return ManagementFactory.getPlatformMXBean(com.sun.management.OperatingSystemMXBean.class)
        .getTotalMemorySize();
  }
}
