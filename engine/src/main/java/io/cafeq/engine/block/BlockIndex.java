package io.cafeq.engine.block;

import io.cafeq.config.Side;
import io.cafeq.engine.block.RowIndex.Entry;
import java.util.ArrayList;
import java.util.Collection;
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
 * Which blocks of transforms a file has, known to fit its header: every channel of every section
 * that uses a transform exactly once.
 */
final class BlockIndex {
  private final Damage damage;
  private final Map<String, NavigableMap<Long, Entry>> blocks = new HashMap<>();

  BlockIndex(Damage damage) {
    this.damage = damage;
  }

  void add(Entry entry) {
    Entry other =
        blocks
            .computeIfAbsent(entry.name(), key -> new TreeMap<>())
            .put(entry.get(Column.FIRST_CHANNEL), entry);
    if (other != null) {
      throw damage.of(
          entry.name(),
          entry.number(),
          "the block at channel "
              + entry.get(Column.FIRST_CHANNEL)
              + " appears already in row "
              + other.number());
    }
  }

  /** The first channel of the block that a channel belongs to; -1 where there is none. */
  long blockAt(String key, int channel) {
    Long first = blocks(key).floorKey((long) channel);
    return first == null ? -1 : first;
  }

  /** The block that begins at that channel. */
  @Nullable Entry block(String key, int firstChannel) {
    return blocks(key).get((long) firstChannel);
  }

  /** The blocks that have some of the channels [first, end), by their channels. */
  Collection<Entry> within(String key, long first, long end) {
    NavigableMap<Long, Entry> all = blocks(key);
    Long from = all.floorKey(first);
    return all.subMap(from == null ? first : from, true, end, false).values();
  }

  /** Whether a block ends before that channel. */
  boolean isBoundary(String key, long channel) {
    NavigableMap<Long, Entry> starts = blocks(key);
    Map.Entry<Long, Entry> last = starts.lowerEntry(channel);
    return last != null && last.getKey() + last.getValue().get(Column.K) == channel;
  }

  /** Each transform has exactly the blocks for the channels of the sections that use it. */
  void check(UnitHeader header) {
    Map<String, TensorHeader.TransformUse> uses = new TreeMap<>();
    Map<String, List<long[]>> channels = new TreeMap<>();
    for (TensorHeader tensor : header.tensors()) {
      for (TensorHeader.Section section : tensor.sections()) {
        TensorHeader.TransformUse use = section.coding().transform();
        if (use == null) {
          continue;
        }
        TensorHeader.TransformUse other = uses.putIfAbsent(use.key(), use);
        List<long[]> ranges = channels.computeIfAbsent(use.key(), key -> new ArrayList<>());
        switch (use.side()) {
          case INPUT -> {
            if (other == null) {
              ranges.add(new long[] {0, tensor.columns()});
            } else if (other.side() != Side.INPUT || ranges.getFirst()[1] != tensor.columns()) {
              throw damage.of("tensor " + tensor.name() + " cannot use the transform " + use.key());
            }
          }
          case OUTPUT -> {
            if (other != null && other.side() != Side.OUTPUT) {
              throw damage.of("tensor " + tensor.name() + " cannot use the transform " + use.key());
            }
            ranges.add(new long[] {section.firstRow(), section.end()});
          }
        }
      }
    }
    Set<String> unused = new HashSet<>(blocks.keySet());
    unused.removeAll(uses.keySet());
    if (!unused.isEmpty()) {
      throw damage.of("has transforms that no tensor of its header uses: " + unused);
    }
    uses.values().forEach(use -> checkBlocks(use, channels.getOrDefault(use.key(), List.of())));
  }

  private void checkBlocks(TensorHeader.TransformUse use, List<long[]> ranges) {
    ranges.sort(Comparator.comparingLong(range -> range[0]));
    List<Entry> all = List.copyOf(blocks(use.key()).values());
    int at = 0;
    for (long[] range : ranges) {
      long next = range[0];
      while (next < range[1]) {
        Entry entry = at < all.size() ? all.get(at++) : null;
        if (entry == null
            || entry.get(Column.FIRST_CHANNEL) != next
            || entry.get(Column.K) > range[1] - next
            || entry.get(Column.SIDE) != StoredNumbers.of(use.side())) {
          throw damage.of(
              "transform "
                  + use.key()
                  + ": a block of the "
                  + use.side()
                  + " side at channel "
                  + next
                  + " should follow, found "
                  + (entry == null ? "none" : "channel " + entry.get(Column.FIRST_CHANNEL)));
        }
        next += entry.get(Column.K);
      }
    }
    if (at != all.size()) {
      throw damage.of(
          "transform " + use.key() + " has " + all.size() + " blocks, only " + at + " are used");
    }
  }

  private NavigableMap<Long, Entry> blocks(String key) {
    return blocks.getOrDefault(key, new TreeMap<>());
  }
}
