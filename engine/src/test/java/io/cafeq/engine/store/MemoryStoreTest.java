package io.cafeq.engine.store;

class MemoryStoreTest extends CheckpointStoreContract {
  private final MemoryStore files = new MemoryStore();

  @Override
  protected void put(String name, byte[] bytes) {
    files.put(name, bytes);
  }

  @Override
  protected CheckpointStore open() {
    return files.copy();
  }
}
