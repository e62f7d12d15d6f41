package io.cafeq.tools;

import com.fasterxml.jackson.annotation.JsonRawValue;
import io.cafeq.config.Settings;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code cafeq config}. */
@Command(
    name = "config",
    description = "Shows the value of every setting with these options, and where each comes from.")
final class ConfigCommand implements Callable<Integer>, TakesSettings {
  @Mixin CommonOptions common = new CommonOptions();
  @Spec CommandSpec spec;

  private final Console console;
  private final SettingOptions settingOptions;

  private record Document(List<Setting> settings) {}

  private record Setting(String key, @JsonRawValue String value, String origin) {}

  ConfigCommand(Console console, SettingOptions settingOptions) {
    this.console = console;
    this.settingOptions = settingOptions;
  }

  @Override
  public Integer call() {
    Settings settings = settingOptions.load(spec.commandLine().getParseResult());
    if (common.json) {
      console.json(
          new Document(
              settings.entries().entrySet().stream()
                  .map(
                      entry ->
                          new Setting(
                              entry.getKey(),
                              entry.getValue(),
                              settings.origins().getOrDefault(entry.getKey(), "")))
                  .toList()));
    } else {
      console.result(settings.render());
    }
    return ExitCode.OK;
  }
}
