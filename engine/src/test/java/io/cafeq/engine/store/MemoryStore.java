package io.cafeq.engine.store;

import io.cafeq.engine.checkpoint.Digests;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;

/** Files in memory, each an array of bytes that is replaced as a whole. */
public final class MemoryStore implements CheckpointStore {
  private final ConcurrentSkipListMap<String, byte[]> files = new ConcurrentSkipListMap<>();
  private volatile boolean closed;

  /** Adds or replaces a file. */
  public MemoryStore put(String name, byte[] content) {
    files.put(FileNames.require(name, this), content.clone());
    return this;
  }

  /** A store of its own with the same files. */
  public MemoryStore copy() {
    MemoryStore copy = new MemoryStore();
    copy.files.putAll(files);
    return copy;
  }

  @Override
  public String location() {
    return "memory:";
  }

  @Override
  public String place(String name) {
    return location() + name;
  }

  @Override
  public List<StoredFile> list(String folder) {
    String prefix = folder.isEmpty() ? "" : FileNames.require(folder, this) + "/";
    SortedMap<String, StoredFile> entries = new TreeMap<>();
    for (Map.Entry<String, byte[]> file : files.entrySet()) {
      if (file.getKey().startsWith(prefix)) {
        int end = file.getKey().indexOf('/', prefix.length());
        String name = end < 0 ? file.getKey() : file.getKey().substring(0, end);
        entries.put(
            name,
            end < 0
                ? file(name, file.getValue())
                : new StoredFile(name, StoredFile.Kind.FOLDER, 0, ""));
      }
    }
    return new ArrayList<>(entries.values());
  }

  @Override
  public Optional<StoredFile> find(String name) {
    return Optional.ofNullable(files.get(FileNames.require(name, this)))
        .map(content -> file(name, content));
  }

  @Override
  public ByteSource open(String name) {
    byte[] content = files.get(FileNames.require(name, this));
    if (content == null) {
      throw StoreException.checkpoint(place(name), "no such file", "Put it there.");
    }
    return new Opened(name, content);
  }

  @Override
  public Optional<Path> localFolder() {
    return Optional.empty();
  }

  @Override
  public long memory() {
    return 0;
  }

  @Override
  public void close() {
    closed = true;
  }

  private static StoredFile file(String name, byte[] content) {
    String hash = Digests.hex(digest(content));
    return new StoredFile(name, StoredFile.Kind.FILE, content.length, hash);
  }

  private static java.security.MessageDigest digest(byte[] content) {
    java.security.MessageDigest digest = Digests.sha256();
    digest.update(content);
    return digest;
  }

  private final class Opened implements ByteSource {
    private final String name;
    private final byte[] content;
    private volatile boolean sourceClosed;

    Opened(String name, byte[] content) {
      this.name = name;
      this.content = content;
    }

    @Override
    public String place() {
      return MemoryStore.this.place(name);
    }

    @Override
    public long size() {
      return content.length;
    }

    @Override
    public void read(long position, ByteBuffer target) {
      if (closed || sourceClosed) {
        throw new IllegalStateException(place() + " was closed");
      }
      if (position < 0) {
        throw new IllegalArgumentException("position " + position);
      }
      int count = (int) Math.max(0, Math.min(target.remaining(), content.length - position));
      if (count > 0) {
        target.put(content, (int) position, count);
      }
      if (target.hasRemaining()) {
        throw StoreException.checkpoint(
            place(), "the file ended at byte " + content.length, "Put all of it there.");
      }
    }

    @Override
    public void close() {
      sourceClosed = true;
    }
  }
}
