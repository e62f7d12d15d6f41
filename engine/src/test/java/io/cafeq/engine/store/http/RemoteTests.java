package io.cafeq.engine.store.http;

import io.cafeq.config.RemoteSettings;
import io.cafeq.engine.store.CheckpointStore;
import io.cafeq.engine.store.Location;
import java.util.Optional;

/** Settings with short waits, and stores over servers of the tests. */
final class RemoteTests {
  private RemoteTests() {}

  static RemoteSettings settings(String hub) {
    return new RemoteSettings(hub, "HF_TOKEN", 4, 1 << 20, 16 << 20, 5, 1, 4, 1);
  }

  static CheckpointStore open(String location, FileServer hub, Optional<String> token) {
    return RemoteStores.open(
            (Location.Remote) Location.parse(location), settings(hub.address("").toString()), token)
        .store();
  }

  static CheckpointStore open(FileServer server, String path) {
    return open(server.address(path).toString(), server, Optional.empty());
  }
}
