package io.cafeq.engine.store;

class MemoryStoreTest extends CheckpointStoreContract {
  private final MemoryStore files = new MemoryStore();

  @Override
  protected void put(String name, byte[] bytes) {
    files.put(name, bytes);
  }

  /** The same files; the store that another test closed is not used again. */
  @Override
  protected CheckpointStore open() {
    MemoryStore copy = new MemoryStore();
    files.list("").forEach(entry -> copyTo(copy, entry));
    return copy;
  }

  private void copyTo(MemoryStore copy, StoredFile entry) {
    if (entry.isFolder()) {
      files.list(entry.name()).forEach(inside -> copyTo(copy, inside));
    } else {
      copy.put(entry.name(), files.read(entry.name(), Long.MAX_VALUE));
    }
  }
}
