package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.text.Shell;
import java.nio.file.Path;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ShellTest {

  @ParameterizedTest
  @ValueSource(strings = {"out/model-4.0_x", "my models/a", "it's", "$HOME", "a;b", "äöü"})
  void aShellReadsTheQuotedTextAsTheSamePath(String text) throws Exception {
    RunningProgram.Result echoed =
        RunningProgram.start(
                new ProcessBuilder("/bin/sh", "-c", "printf %s " + Shell.quoted(Path.of(text))))
            .await();

    assertThat(echoed.out()).isEqualTo(text);
  }

  @ParameterizedTest
  @ValueSource(strings = {"a\nb", "it's \\ \u001b[2J", "a\u202e\u200bü", "\ud83d\ude00\u2028"})
  void whatATerminalDoesNotShowIsQuotedInAsciiForBash(String text) throws Exception {
    String quoted = Shell.quoted(Path.of(text));

    assertThat(quoted).matches("[ -~]+");
    ProcessBuilder shell = new ProcessBuilder("bash", "-c", "printf %s " + quoted);
    assertThat(RunningProgram.start(shell).await().out()).isEqualTo(text);
  }
}
