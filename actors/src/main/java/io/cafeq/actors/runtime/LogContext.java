package io.cafeq.actors.runtime;

import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.MDC;

/** Names the job and the unit in every line that is logged on the calling thread meanwhile. */
public final class LogContext {
  private LogContext() {}

  /** Runs {@code work} for a job. */
  public static <T> T of(String job, Supplier<T> work) {
    return of(Map.of("job", job), work);
  }

  /** The same for work without a result. */
  public static void run(String job, Runnable work) {
    of(
        job,
        () -> {
          work.run();
          return job;
        });
  }

  /** Runs {@code work} for a unit of a job. */
  public static <T> T of(String job, String unit, Supplier<T> work) {
    return of(Map.of("job", job, "unit", unit), work);
  }

  private static <T> T of(Map<String, String> keys, Supplier<T> work) {
    @Nullable Map<String, String> before = MDC.getCopyOfContextMap();
    MDC.setContextMap(keys);
    try {
      return work.get();
    } finally {
      MDC.setContextMap(before == null ? Map.of() : before);
    }
  }
}
