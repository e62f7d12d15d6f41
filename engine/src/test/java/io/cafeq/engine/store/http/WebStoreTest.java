package io.cafeq.engine.store.http;

import io.cafeq.engine.store.CheckpointStore;
import io.cafeq.engine.store.CheckpointStoreContract;
import org.junit.jupiter.api.AfterEach;

class WebStoreTest extends CheckpointStoreContract {
  private final FileServer server = FileServer.start();

  @Override
  protected void put(String name, byte[] bytes) {
    server.put("/models/one/" + name, bytes);
  }

  @Override
  protected CheckpointStore open() {
    return RemoteTests.open(server, "/models/one/");
  }

  @Override
  protected boolean canList() {
    return false;
  }

  @AfterEach
  void stop() {
    server.close();
  }
}
