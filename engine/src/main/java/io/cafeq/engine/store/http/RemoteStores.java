package io.cafeq.engine.store.http;

import io.cafeq.config.RemoteSettings;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.store.CheckpointStore;
import io.cafeq.engine.store.Located;
import io.cafeq.engine.store.Location;
import io.cafeq.engine.store.ReadAheadStore;
import io.cafeq.engine.store.Retries;
import io.cafeq.engine.store.RetryingStore;
import io.cafeq.engine.text.VisibleText;
import java.net.URI;
import java.time.Duration;
import java.util.Optional;

/** Opens checkpoints behind addresses, with retries and read-ahead around them. */
public final class RemoteStores {
  private RemoteStores() {}

  /**
   * Opens a location. The token is that of the environment variable that the settings name. Whoever
   * calls closes the store. Throws with kind USAGE where nothing is there or it may not be read,
   * ENVIRONMENT where no answer comes.
   */
  public static Located open(Location.Remote location, RemoteSettings settings) {
    return open(location, settings, Optional.ofNullable(System.getenv(settings.tokenVariable())));
  }

  /** The same with a token. */
  static Located open(Location.Remote location, RemoteSettings settings, Optional<String> token) {
    String hub = hub(settings);
    Transport transport = new Transport(settings, Token.of(hub, token));
    Retries retries = new Retries(settings.retries(), Duration.ofMillis(settings.retryDelay()));
    try {
      return switch (location) {
        case Location.Hub model ->
            new Located(
                wrapped(
                    retries.call(() -> HubStore.open(transport, hub, model)), retries, settings),
                Optional.empty());
        case Location.Web(URI address) -> {
          Optional<String> file = file(address);
          yield new Located(
              wrapped(new WebStore(transport, folder(address, file)), retries, settings),
              file.map(Addresses::decoded));
        }
      };
    } catch (RuntimeException e) {
      transport.close();
      throw e;
    }
  }

  /** The hub's address without a slash at its end; plain http is for this machine, as elsewhere. */
  private static String hub(RemoteSettings settings) {
    if (Location.parse(settings.hub()) instanceof Location.Web(URI address)) {
      return address.toString().replaceFirst("/+$", "");
    }
    throw new EngineException(
        FailureKind.USAGE,
        "remote.hub: expected an https:// address, found " + VisibleText.quoted(settings.hub()),
        "Correct --hub, or leave it out.");
  }

  /** The last part of the address where it names a file and no folder. */
  private static Optional<String> file(URI address) {
    String path = address.getRawPath();
    return path.endsWith(".safetensors")
        ? Optional.of(path.substring(path.lastIndexOf('/') + 1))
        : Optional.empty();
  }

  private static URI folder(URI address, Optional<String> file) {
    String text = address.toString();
    return file.isPresent()
        ? address.resolve(".")
        : text.endsWith("/") ? address : URI.create(text + "/");
  }

  private static CheckpointStore wrapped(
      CheckpointStore store, Retries retries, RemoteSettings settings) {
    return new ReadAheadStore(
        new RetryingStore(store, retries),
        settings.parallelReads(),
        Math.toIntExact(settings.rangeSize()),
        Math.toIntExact(settings.rangeMemory() / settings.rangeSize()));
  }
}
