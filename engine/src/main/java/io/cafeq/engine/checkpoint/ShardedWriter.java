package io.cafeq.engine.checkpoint;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.store.FileNames;
import io.cafeq.engine.text.VisibleText;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Writes a checkpoint of one or more safetensors files, and their index where there is more than
 * one. The bytes come in the order of {@link #order}. Not thread-safe. The index comes last, so
 * that a checkpoint that is not complete is not taken for one; closing without {@link #finish}
 * removes the files that were written.
 */
public final class ShardedWriter implements AutoCloseable {
  /** A file and what is to be in it. */
  public record Shard(String file, List<Entry> tensors) {
    public Shard {
      tensors = List.copyOf(tensors);
      if (!FileNames.isPlain(file)) {
        throw new IllegalArgumentException("no plain file name: " + file);
      }
    }

    private long bytes() {
      return tensors.stream().mapToLong(Entry::bytes).sum();
    }
  }

  private final Path folder;
  private final List<Shard> shards;
  private final Map<String, String> metadata;
  private final List<Entry> order = new ArrayList<>();
  private int next;
  private @Nullable SafetensorsWriter writer;
  private boolean finished;

  private ShardedWriter(Path folder, List<Shard> shards, Map<String, String> metadata) {
    this.folder = folder;
    this.shards = shards;
    this.metadata = metadata;
  }

  /**
   * Spreads tensors, in the order given, over files of at most {@code largest} bytes of data (or
   * one tensor).
   */
  public static List<Shard> spread(List<Entry> tensors, long largest) {
    List<List<Entry>> groups = new ArrayList<>();
    List<Entry> group = new ArrayList<>();
    long bytes = 0;
    for (Entry tensor : tensors) {
      if (!group.isEmpty() && tensor.bytes() > largest - bytes) {
        groups.add(group);
        group = new ArrayList<>();
        bytes = 0;
      }
      group.add(tensor);
      bytes += tensor.bytes();
    }
    groups.add(group);
    List<Shard> shards = new ArrayList<>();
    for (List<Entry> entries : groups) {
      String file =
          groups.size() == 1
              ? CheckpointFiles.SINGLE
              : String.format(
                  Locale.ROOT, "model-%05d-of-%05d.safetensors", shards.size() + 1, groups.size());
      shards.add(new Shard(file, entries));
    }
    return shards;
  }

  /**
   * Begins in an existing folder. {@code metadata} goes into every file, as in {@link
   * SafetensorsWriter#create}.
   */
  public static ShardedWriter create(
      Path folder, List<Shard> shards, Map<String, String> metadata) {
    ShardedWriter sharded = new ShardedWriter(folder, List.copyOf(shards), Map.copyOf(metadata));
    boolean begun = false;
    try {
      for (Shard shard : shards) {
        shard.tensors().stream().sorted(SafetensorsWriter.ORDER).forEach(sharded.order::add);
      }
      sharded.advance();
      begun = true;
      return sharded;
    } finally {
      if (!begun) {
        sharded.close();
      }
    }
  }

  /** All tensors in the order in which their bytes must come. */
  public List<Entry> order() {
    return List.copyOf(order);
  }

  /** As {@link SafetensorsWriter#append}; a file is finished as soon as it is complete. */
  public void append(String tensor, MemorySegment bytes) {
    if (writer == null) {
      throw new IllegalStateException("bytes of " + tensor + " came, expected the end");
    }
    writer.append(tensor, bytes);
    advance();
  }

  private void advance() {
    while (writer == null ? next < shards.size() : writer.isComplete()) {
      if (writer != null) {
        writer.finish();
        writer.close();
        writer = null;
      }
      if (next < shards.size()) {
        Shard shard = shards.get(next++);
        writer = SafetensorsWriter.create(folder.resolve(shard.file()), shard.tensors(), metadata);
      }
    }
  }

  /** Writes the index where there is more than one file. */
  public void finish() {
    if (writer != null) {
      throw new IllegalStateException(
          "the tensors of " + shards.get(next - 1).file() + " are not complete");
    }
    if (shards.size() > 1) {
      DurableFile.write(
          folder.resolve(CheckpointFiles.INDEX), index().getBytes(StandardCharsets.UTF_8));
    }
    finished = true;
  }

  private String index() {
    JsonMapper mapper = new JsonMapper();
    ObjectNode index = mapper.createObjectNode();
    index.putObject("metadata").put("total_size", shards.stream().mapToLong(Shard::bytes).sum());
    ObjectNode map = index.putObject("weight_map");
    Map<String, String> files = new TreeMap<>();
    shards.forEach(
        shard -> shard.tensors().forEach(tensor -> files.put(tensor.name(), shard.file())));
    files.forEach(map::put);
    return VisibleText.lines(index.toPrettyString()) + "\n";
  }

  @Override
  public void close() {
    if (writer != null) {
      writer.close();
    }
    if (!finished) {
      for (Shard shard : shards.subList(0, writer == null ? next : next - 1)) {
        try {
          Files.deleteIfExists(folder.resolve(shard.file()));
        } catch (IOException e) {
          throw FileFailure.of("write", folder.resolve(shard.file()), e);
        }
      }
    }
  }
}
