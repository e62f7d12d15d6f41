package io.cafeq.engine.store;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** A store that adds something to the reads of another one, which it owns. */
public abstract class StoreWrapper implements CheckpointStore {
  private final CheckpointStore store;

  protected StoreWrapper(CheckpointStore store) {
    this.store = store;
  }

  /** Adds to one source, which the wrapper owns. */
  protected abstract ByteSource wrap(ByteSource source);

  @Override
  public ByteSource open(String name) {
    return wrap(store.open(name));
  }

  @Override
  public String location() {
    return store.location();
  }

  @Override
  public String place(String name) {
    return store.place(name);
  }

  @Override
  public List<StoredFile> list(String folder) {
    return store.list(folder);
  }

  @Override
  public Optional<StoredFile> find(String name) {
    return store.find(name);
  }

  @Override
  public Optional<Path> localFolder() {
    return store.localFolder();
  }

  @Override
  public long memory() {
    return store.memory();
  }

  @Override
  public void close() {
    store.close();
  }

  /** A source that leaves everything but reads to another one. */
  protected abstract static class SourceWrapper implements ByteSource {
    private final ByteSource source;

    protected SourceWrapper(ByteSource source) {
      this.source = source;
    }

    @Override
    public String place() {
      return source.place();
    }

    @Override
    public long size() {
      return source.size();
    }

    @Override
    public void close() {
      source.close();
    }
  }
}
