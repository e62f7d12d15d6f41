package io.cafeq.engine.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.net.URI;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LocationTest {
  @Test
  void readsPathsAndAddresses() {
    assertThat(Location.parse("models/one")).isEqualTo(new Location.Local(Path.of("models/one")));
    assertThat(Location.parse("a:b/c")).isEqualTo(new Location.Local(Path.of("a:b/c")));
    assertThat(Location.parse("https://host/a/b/"))
        .isEqualTo(new Location.Web(URI.create("https://host/a/b/")));
    assertThat(Location.parse("http://127.0.0.1:80/a"))
        .isEqualTo(new Location.Web(URI.create("http://127.0.0.1:80/a")));
    assertThat(Location.parse("hf://who/what")).isEqualTo(new Location.Hub("who/what", "main"));
    assertThat(Location.parse("hf://who/what-1.5@refs/pr/1"))
        .isEqualTo(new Location.Hub("who/what-1.5", "refs/pr/1"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "s3://bucket/x",
        "http://host/x",
        "http://127.0.0.1.example.org/x",
        "https:///x",
        "https://who:secret@host/x",
        "https://host/x?secret",
        "https://host/x#secret",
        "https://ho st/x",
        "hf://what",
        "hf://who/what/more",
        "hf://who/what@",
        "hf://who/../what",
        "hf://who/what@../x",
        "a\0b"
      })
  void refusesTheRest(String text) {
    assertThatThrownBy(() -> Location.parse(text))
        .isInstanceOfSatisfying(
            EngineException.class,
            e -> {
              assertThat(e.kind()).isEqualTo(FailureKind.USAGE);
              assertThat(e.remedy()).contains("https://");
              assertThat(e.getMessage()).doesNotContain("secret");
            });
  }
}
