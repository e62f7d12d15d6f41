package io.cafeq.tools;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code cafeq doctor}. */
@Command(
    name = "doctor",
    description =
        "Reports what works on this machine, and how to fix the rest. Exit code 0 if quantizing"
            + " works here.")
final class DoctorCommand implements Callable<Integer> {
  @Mixin CommonOptions common = new CommonOptions();

  private final Console console;

  DoctorCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    Diagnosis diagnosis = Diagnosis.make();
    if (common.json) {
      console.json(diagnosis);
    } else {
      print(diagnosis);
    }
    return diagnosis.usable() ? ExitCode.OK : ExitCode.FAILURE;
  }

  private void print(Diagnosis diagnosis) {
    TextTable table =
        new TextTable(2)
            .row("cafeq", diagnosis.version())
            .row("java", diagnosis.java())
            .row("system", diagnosis.operatingSystem() + " " + diagnosis.architecture())
            .row("processors", Integer.toString(diagnosis.processors()))
            .row("memory", Amounts.bytes(diagnosis.memoryBytes()))
            .row(
                "temporary files",
                diagnosis.temporaryFolder()
                    + ", "
                    + Amounts.bytes(diagnosis.temporaryFreeBytes())
                    + " free");
    for (Diagnosis.Backend backend : diagnosis.backends()) {
      table.row(
          "backend " + backend.id(),
          (backend.available() ? "works: " : "does not work: ") + backend.detail());
    }
    Diagnosis.Tokenizers tokenizers = diagnosis.tokenizers();
    table.row(
        "tokenizers", (tokenizers.available() ? "work: " : "do not work: ") + tokenizers.detail());
    table.row(
        "launcher", diagnosis.missingFlags().isEmpty() ? "all flags are set" : "flags are missing");
    console.result(table.render());
    for (Diagnosis.Problem problem : diagnosis.problems()) {
      console.result(
          "\n"
              + (problem.fatal() ? "problem: " : "note: ")
              + problem.what()
              + "\n  "
              + problem.remedy()
              + "\n");
    }
    console.result(diagnosis.usable() ? "\nCafeQ works here.\n" : "\nCafeQ does not work here.\n");
  }
}
