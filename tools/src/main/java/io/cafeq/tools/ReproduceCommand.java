package io.cafeq.tools;

import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.compute.Learner;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.tools.reproduce.BlockSizes;
import io.cafeq.tools.reproduce.PaperTable;
import io.cafeq.tools.reproduce.Reproduced;
import io.cafeq.tools.reproduce.TableEight;
import io.cafeq.tools.reproduce.TableOne;
import io.cafeq.tools.reproduce.TableSix;
import io.cafeq.tools.reproduce.ToyProduct;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code cafeq reproduce}. */
@Command(
    name = "reproduce",
    description =
        "Reproduces a table of the paper on seeded weights of the same shape, and prints both.")
final class ReproduceCommand implements Callable<Integer> {
  /** What can be reproduced. */
  enum Table {
    table1,
    table6,
    table8,
    blocksize,
    toy
  }

  @Parameters(paramLabel = "TABLE", description = "One of: ${COMPLETION-CANDIDATES}.")
  Table table = Table.table1;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Seed of the weights (default ${DEFAULT-VALUE}).")
  long seed;

  @Option(
      names = "--backend",
      paramLabel = "NAME",
      description = "Compute backend that learns (default ${DEFAULT-VALUE}).")
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
    Compute compute = Compute.open(backend);
    try (ComputeLane lane = compute.backend().openLane()) {
      PaperTable made = made(compute.learner(), lane, stop);
      List<Reproduced> figures = made.run(row -> console.message(row.name() + " done"));
      if (common.json) {
        console.json(figures);
      } else {
        print(made.description(), figures);
      }
    }
    return ExitCode.OK;
  }

  private PaperTable made(Learner learner, ComputeLane lane, StopFlag stop) {
    return switch (table) {
      case table1 -> new TableOne(learner, seed, stop);
      case table6 -> new TableSix(learner, lane, seed, stop);
      case table8 -> new TableEight(learner, lane, seed, stop);
      case blocksize -> new BlockSizes(learner, lane, seed, stop);
      case toy -> new ToyProduct(stop);
    };
  }

  private void print(String description, List<Reproduced> figures) {
    console.result(description + "\n\n");
    TextTable text = new TextTable(1).row("", "paper", "measured");
    figures.forEach(row -> text.row(row.name(), paper(row.paper()), four(row.measured())));
    console.result(text.render());
  }

  /** Errors with three digits, as the paper has them; scores with one. */
  private static String paper(@Nullable Double value) {
    if (value == null) {
      return "-";
    }
    return String.format(Locale.ROOT, value < 1 ? "%.3f" : "%.1f", value);
  }

  private static String four(double value) {
    return String.format(Locale.ROOT, "%.4f", value);
  }
}
