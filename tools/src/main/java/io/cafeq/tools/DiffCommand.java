package io.cafeq.tools;

import io.cafeq.engine.compare.Differences;
import io.cafeq.engine.compare.TensorSet;
import io.cafeq.engine.text.VisibleText;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code cafeq diff}. */
@Command(
    name = "diff",
    description =
        "Compares two checkpoints, results or exports tensor by tensor, each by the weights that it"
            + " stands for.")
final class DiffCommand implements Callable<Integer> {
  private static final int SHOWN = 20;

  @Parameters(index = "0", paramLabel = "A", description = "Checkpoint, result or export.")
  String first = "";

  @Parameters(index = "1", paramLabel = "B", description = "The one that is compared with it.")
  String second = "";

  @Option(names = "--all", description = "Show every tensor, not just those that differ most.")
  boolean all;

  @Mixin RemoteOptions remote = new RemoteOptions();
  @Mixin CommonOptions common = new CommonOptions();

  private final Console console;
  private final Interruption interruption;

  /** The JSON document. */
  private record Document(
      boolean same,
      double relativeError,
      List<Tensor> tensors,
      List<String> otherShapes,
      List<String> onlyA,
      List<String> onlyB) {}

  private record Tensor(String name, List<Long> shape, double relativeError, double largest) {
    static Tensor of(Differences.Difference difference) {
      return new Tensor(
          difference.name(), difference.shape(), difference.relativeError(), difference.largest());
    }
  }

  DiffCommand(Console console, Interruption interruption) {
    this.console = console;
    this.interruption = interruption;
  }

  @Override
  public Integer call() {
    try (TensorSet a = TensorSet.open(first, remote.settings());
        TensorSet b = TensorSet.open(second, remote.settings())) {
      Differences differences = Differences.of(a, b, interruption.stopFlag());
      List<Tensor> tensors =
          differences.tensors().stream()
              .map(Tensor::of)
              .sorted(
                  Comparator.comparingDouble(Tensor::relativeError)
                      .reversed()
                      .thenComparing(Tensor::name))
              .toList();
      if (common.json) {
        console.json(
            new Document(
                differences.isNone(),
                differences.relativeError(),
                tensors,
                differences.otherShapes(),
                differences.onlyFirst(),
                differences.onlySecond()));
      } else {
        console.result(text(differences, tensors));
      }
    }
    return ExitCode.OK;
  }

  private String text(Differences differences, List<Tensor> tensors) {
    TextTable table = new TextTable(1).row("relative error", "largest", "shape", "tensor");
    tensors.stream()
        .filter(tensor -> all || tensor.relativeError() > 0)
        .limit(all ? tensors.size() : SHOWN)
        .forEach(
            tensor ->
                table.row(
                    Amounts.error(tensor.relativeError()),
                    String.format(Locale.ROOT, "%.3g", tensor.largest()),
                    tensor.shape().toString(),
                    VisibleText.line(tensor.name())));
    long unlike = tensors.stream().filter(tensor -> tensor.relativeError() > 0).count();
    StringBuilder text = new StringBuilder(unlike > 0 || all ? table.render() + "\n" : "");
    text.append(
        "%d of %d common tensors differ, relative error of all %s\n"
            .formatted(unlike, tensors.size(), Amounts.error(differences.relativeError())));
    names(text, "with other shapes", differences.otherShapes());
    names(text, "only in " + VisibleText.line(first), differences.onlyFirst());
    names(text, "only in " + VisibleText.line(second), differences.onlySecond());
    return text.toString();
  }

  private void names(StringBuilder text, String what, List<String> names) {
    if (!names.isEmpty()) {
      text.append(what).append(": ").append(names.size()).append(", ");
      names.stream()
          .limit(all ? names.size() : 3)
          .forEach(name -> text.append(VisibleText.quoted(name)).append(' '));
      text.append('\n');
    }
  }
}
