package io.cafeq.tools;

import io.cafeq.engine.compute.Backends;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.tools.reproduce.Reproduced;
import io.cafeq.tools.reproduce.TableOne;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code cafeq reproduce}. */
@Command(
    name = "reproduce",
    description = "Makes a table of the paper again on seeded weights of the same geometry, and prints both.")
final class ReproduceCommand implements Callable<Integer> {
  /** What can be reproduced. */
  enum Table {
    table1
  }

  @Parameters(paramLabel = "TABLE", description = "One of: ${COMPLETION-CANDIDATES}.")
  Table table = Table.table1;

  @Option(names = "--seed", paramLabel = "N", description = "Seed of the weights (default ${DEFAULT-VALUE}).")
  long seed;

  @Option(names = "--backend", paramLabel = "NAME", description = "Where to learn (default ${DEFAULT-VALUE}).")
  String backend = "auto";

  @Mixin CommonOptions common = new CommonOptions();

  private final Console console;
  private final Interruption interruption;

  ReproduceCommand(Console console, Interruption interruption) {
    this.console = console;
    this.interruption = interruption;
  }

  @Override
  public Integer call() {
    StopFlag stop = interruption.stopFlag();
    try (ComputeLane lane = Backends.open(backend).openLane()) {
      List<Reproduced> figures =
          switch (table) {
            case table1 -> new TableOne(lane, seed, stop).run(row -> console.message(row.name() + " done"));
          };
      if (common.json) {
        console.json(figures);
      } else {
        print(figures);
      }
    }
    return ExitCode.OK;
  }

  private void print(List<Reproduced> figures) {
    console.result(
        switch (table) {
          case table1 ->
              """
              Table 1: relative l2 error at 4 bits a channel, 2304 x 9216, 100 steps
              (the paper: down projection of Gemma 2 2B; measured: Gaussian weights)

              """;
        });
    TextTable text = new TextTable(1).row("", "paper", "measured");
    figures.forEach(row -> text.row(row.name(), three(row.paper()), four(row.measured())));
    console.result(text.render());
  }

  private static String three(double value) {
    return String.format(Locale.ROOT, "%.3f", value);
  }

  private static String four(double value) {
    return String.format(Locale.ROOT, "%.4f", value);
  }
}
