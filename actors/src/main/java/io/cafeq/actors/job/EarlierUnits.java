package io.cafeq.actors.job;

import io.cafeq.actors.runtime.ActorRuntime;
import io.cafeq.actors.runtime.LogContext;
import io.cafeq.engine.output.ResumeCheck;
import io.cafeq.engine.output.ResumeCheck.Verdict;
import io.cafeq.engine.plan.Unit;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import org.apache.pekko.stream.javadsl.Sink;
import org.apache.pekko.stream.javadsl.Source;

/** Looks at an earlier run's units, a few at a time on the threads that wait for disks. */
final class EarlierUnits {
  /** Hashing is bound by a core and reading by the disk; more at a time would only compete. */
  private static final int AT_A_TIME = 2;

  private final String job;
  private final ActorRuntime runtime;
  private final ResumeCheck check;

  EarlierUnits(String job, ActorRuntime runtime, ResumeCheck check) {
    this.job = job;
    this.runtime = runtime;
    this.check = check;
  }

  /** Source tensors that changed since they were used; empty if the units that count may stay. */
  List<String> check(List<Unit> units, Consumer<Verdict.Keep> kept) {
    List<String> changed = new ArrayList<>();
    try {
      Source.from(units)
          .filter(check::hasFile)
          .mapAsync(
              AT_A_TIME,
              unit ->
                  CompletableFuture.supplyAsync(
                      () -> LogContext.of(job, unit.id(), () -> check.check(unit)), runtime.io()))
          .runWith(
              Sink.foreach(
                  verdict -> {
                    switch (verdict) {
                      case Verdict.Keep keep -> kept.accept(keep);
                      case Verdict.Make make -> {}
                      case Verdict.SourceChanged(Unit unit, List<String> tensors) ->
                          changed.addAll(tensors);
                    }
                  }),
              runtime.actors())
          .toCompletableFuture()
          .join();
    } catch (CompletionException e) {
      throw unwrapped(e);
    }
    return changed;
  }

  private static RuntimeException unwrapped(CompletionException e) {
    Throwable cause = e;
    while (cause instanceof CompletionException && cause.getCause() != null) {
      cause = cause.getCause();
    }
    return cause instanceof RuntimeException known ? known : e;
  }
}
