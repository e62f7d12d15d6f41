package io.cafeq.tools;

import io.cafeq.config.RemoteSettings;
import io.cafeq.config.Settings;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options of commands that read checkpoints behind addresses and take no recipe. */
final class RemoteOptions {
  @Option(
      names = "--hub",
      paramLabel = "ADDRESS",
      description =
          "Address of the model hub that hf:// refers to (default: https://huggingface.co).")
  @Nullable String hub;

  RemoteSettings settings() {
    Map<String, String> given = new TreeMap<>();
    if (hub != null) {
      given.put("remote.hub", hub);
    }
    return Settings.load(Optional.empty(), given).remote();
  }
}
