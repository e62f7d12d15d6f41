package io.cafeq.engine.block;

import io.cafeq.config.Side;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Which rows a file has, known to fit its header: every weight and every byte of every tensor exactly once, every block
 * of every transform exactly once.
 */
final class RowIndex {
  /**
   * A row whose payload has not been read.
   *
   * @param number counts the file's rows
   * @param place its place in the batch
   * @param fixed values of the fixed-width columns by ordinal
   * @param payloadBytes of raw rows; else 0
   */
  record Entry(
      long number, int batch, int place, Column.Kind kind, String name, long[] fixed, long payloadBytes) {
    long get(Column column) {
      return fixed[column.ordinal()];
    }
  }

  private final Damage damage;
  private final UnitHeader header;
  private final Map<String, List<Entry>> rows = new HashMap<>();
  private final Map<String, NavigableMap<Long, Entry>> blocks = new HashMap<>();

  private RowIndex(Damage damage, UnitHeader header) {
    this.damage = damage;
    this.header = header;
  }

  static RowIndex of(Damage damage, UnitHeader header, List<Entry> entries) {
    RowIndex index = new RowIndex(damage, header);
    for (Entry entry : entries) {
      if (entry.kind() == Column.Kind.TRANSFORM) {
        index.addBlock(entry);
      } else {
        index.rows.computeIfAbsent(entry.name(), name -> new ArrayList<>()).add(entry);
      }
    }
    index.check();
    return index;
  }

  /** Slabs by expert and first row, or raw rows by offset. */
  List<Entry> rows(String tensor) {
    return rows.getOrDefault(tensor, new ArrayList<>());
  }

  /** The block that begins at that channel. */
  @Nullable Entry block(String key, int firstChannel) {
    return blocks(key).get((long) firstChannel);
  }

  private NavigableMap<Long, Entry> blocks(String key) {
    return blocks.getOrDefault(key, new TreeMap<>());
  }

  private void addBlock(Entry entry) {
    Entry other = blocks.computeIfAbsent(entry.name(), key -> new TreeMap<>())
        .put(entry.get(Column.FIRST_CHANNEL), entry);
    if (other != null) {
      throw damage.of(entry.name(), entry.number(), "the block at channel " + entry.get(Column.FIRST_CHANNEL)
          + " stands there already in row " + other.number());
    }
  }

  private void check() {
    for (TensorHeader tensor : header.tensors()) {
      if (tensor.coding() == null) {
        checkRaw(tensor);
      } else {
        checkSlabs(tensor, tensor.coding());
      }
    }
    Set<String> keys = new HashSet<>(blocks.keySet());
    for (TensorHeader tensor : header.tensors()) {
      if (tensor.coding() != null && tensor.coding().transform() != null) {
        keys.remove(tensor.coding().transform().key());
      }
    }
    if (!keys.isEmpty()) {
      throw damage.of("has transforms that no tensor of its header uses: " + keys);
    }
    for (String name : rows.keySet()) {
      if (header.tensors().stream().noneMatch(tensor -> tensor.name().equals(name))) {
        throw damage.of("has rows of " + name + ", which is no tensor of its header");
      }
    }
  }

  private void checkRaw(TensorHeader tensor) {
    List<Entry> entries = rows(tensor.name());
    entries.sort(Comparator.comparingLong(entry -> entry.get(Column.BYTE_OFFSET)));
    long next = 0;
    for (Entry entry : entries) {
      if (entry.kind() != Column.Kind.RAW || entry.get(Column.BYTE_OFFSET) != next) {
        throw damage.of(tensor.name(), entry.number(), "bytes from " + next + " on should follow, found "
            + entry.kind() + " at " + entry.get(Column.BYTE_OFFSET));
      }
      next += entry.payloadBytes();
    }
    if (next != tensor.bytes()) {
      throw damage.of("tensor " + tensor.name() + " has " + next + " bytes in its rows, not " + tensor.bytes());
    }
  }

  private void checkSlabs(TensorHeader tensor, TensorHeader.Coding coding) {
    List<Entry> entries = rows(tensor.name());
    entries.sort(Comparator.<Entry>comparingLong(entry -> entry.get(Column.EXPERT))
        .thenComparingLong(entry -> entry.get(Column.FIRST_ROW)));
    TensorHeader.TransformUse transform = coding.transform();
    boolean mixesRows = transform != null && transform.side() == Side.OUTPUT;
    if (transform != null) {
      long channels = mixesRows ? Math.multiplyExact(tensor.rows(), tensor.experts()) : tensor.columns();
      checkBlocks(transform, channels);
    }
    long expert = tensor.firstExpert();
    long next = 0;
    long done = 0;
    for (Entry entry : entries) {
      long count = entry.get(Column.ROWS);
      boolean sound = entry.kind() == Column.Kind.SLAB && entry.get(Column.EXPERT) == expert
          && entry.get(Column.FIRST_ROW) == next
          && count > 0 && count <= Math.min(tensor.rows() - next, Integer.MAX_VALUE)
          && entry.get(Column.COLUMNS) == tensor.columns();
      if (!sound) {
        throw damage.of(tensor.name(), entry.number(), "output channel " + next + " should follow with "
            + tensor.columns() + " columns, found " + entry.get(Column.FIRST_ROW) + " and " + count + " more with "
            + entry.get(Column.COLUMNS));
      }
      next += count;
      done += count;
      if (transform != null && mixesRows && !isBoundary(transform.key(), done)) {
        throw damage.of(tensor.name(), entry.number(), "ends inside a block of its output-side transform");
      }
      if (next == tensor.rows()) {
        next = 0;
        expert++;
      }
    }
    if (done != Math.multiplyExact(tensor.rows(), tensor.experts()) && tensor.elements() > 0) {
      throw damage.of("tensor " + tensor.name() + " has " + done + " output channels in its rows, not "
          + tensor.rows() * tensor.experts());
    }
  }

  private boolean isBoundary(String key, long channel) {
    NavigableMap<Long, Entry> starts = blocks(key);
    Map.Entry<Long, Entry> last = starts.lowerEntry(channel);
    return last != null && last.getKey() + last.getValue().get(Column.K) == channel;
  }

  private void checkBlocks(TensorHeader.TransformUse transform, long channels) {
    long next = 0;
    for (Entry entry : blocks(transform.key()).values()) {
      if (entry.get(Column.FIRST_CHANNEL) != next || entry.get(Column.K) < 1
          || entry.get(Column.SIDE) != StoredNumbers.of(transform.side())) {
        throw damage.of(transform.key(), entry.number(), "a block of the " + transform.side() + " side at channel "
            + next + " should follow, found channel " + entry.get(Column.FIRST_CHANNEL));
      }
      next += entry.get(Column.K);
    }
    if (next != channels) {
      throw damage.of("transform " + transform.key() + " has blocks for " + next + " channels, not " + channels);
    }
  }
}
