package io.cafeq.tools;

import java.io.PrintStream;
import java.io.PrintWriter;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine;

/** The program {@code cafeq}: one process, one command, one exit code. */
public final class Main {
  private final Console console;
  private final Interruption interruption;

  private Main(Console console, Interruption interruption) {
    this.console = console;
    this.interruption = interruption;
  }

  /** Runs one command and ends the process with its {@link ExitCode}. */
  public static void main(String[] arguments) {
    PrintStream results = System.out;
    // Libraries print banners to System.out; stdout carries results only.
    System.setOut(System.err);
    Console console = new Console(results, System.err, Console.terminalColumns());
    Interruption interruption = new Interruption();
    interruption.install(console);
    int exitCode = new Main(console, interruption).run(arguments);
    if (results.checkError() && exitCode == ExitCode.OK) {
      console.message("cafeq: cannot write to stdout");
      exitCode = ExitCode.FAILURE;
    }
    System.exit(exitCode);
  }

  private int run(String[] arguments) {
    // Scripts ask for it often, and it needs none of the commands.
    if (List.of(arguments).equals(List.of("--version"))) {
      console.result("cafeq " + Version.current() + "\n");
      return ExitCode.OK;
    }
    Failures failures = new Failures(console, interruption);
    try {
      return commandLine(console, interruption, failures).execute(arguments);
    } catch (Error error) {
      return failures.handle(error, Arrays.asList(arguments).contains("--json"));
    }
  }

  /** Builds the command tree, every command with its settings as options. */
  static CommandLine commandLine(Console console, Interruption interruption, Failures failures) {
    CommandLine root = new CommandLine(new RootCommand());
    SettingOptions settings = new SettingOptions();
    List<Callable<Integer>> commands =
        List.of(
            new QuantizeCommand(console, interruption, settings),
            new PlanCommand(console, settings),
            new InspectCommand(console),
            new DiffCommand(console, interruption),
            new VerifyCommand(console, interruption),
            new ExportCommand(console, interruption),
            new EvaluateCommand(console, interruption),
            new DemoCommand(console, interruption, settings),
            new BenchCommand(console, interruption),
            new ReproduceCommand(console, interruption),
            new FitCommand(console, interruption),
            new DoctorCommand(console),
            new ConfigCommand(console, settings));
    for (Callable<Integer> command : commands) {
      CommandLine subcommand = new CommandLine(command);
      if (command instanceof TakesSettings) {
        settings.addTo(subcommand.getCommandSpec());
      }
      root.addSubcommand(subcommand);
    }
    PrintWriter help = new PrintWriter(console.results(), true, console.results().charset());
    root.setOut(help)
        .setUsageHelpWidth(100)
        .setExecutionExceptionHandler(failures)
        .setParameterExceptionHandler(failures);
    for (CommandLine each : root.getSubcommands().values()) {
      each.getCommandSpec().usageMessage().sortOptions(false).abbreviateSynopsis(true);
    }
    return root;
  }
}
