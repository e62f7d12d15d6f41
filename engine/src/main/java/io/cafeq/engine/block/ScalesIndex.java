package io.cafeq.engine.block;

import io.cafeq.engine.block.RowIndex.Entry;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/** Which column scales a file has, known to fit its header: those of each key exactly once. */
final class ScalesIndex {
  private final Damage damage;
  private final Map<String, Entry> scales = new HashMap<>();

  ScalesIndex(Damage damage) {
    this.damage = damage;
  }

  void add(Entry entry) {
    Entry other = scales.put(entry.name(), entry);
    if (other != null) {
      throw damage.of(
          entry.name(),
          entry.number(),
          "its column scales appear already in row " + other.number());
    }
  }

  /** The row of a key. */
  Entry of(String key) {
    Entry entry = scales.get(key);
    if (entry == null) {
      throw damage.of("has no column scales " + key);
    }
    return entry;
  }

  /** There are those that the header's sections use, as long as their rows, and no others. */
  void check(UnitHeader header) {
    Set<String> unused = new HashSet<>(scales.keySet());
    for (TensorHeader tensor : header.tensors()) {
      for (TensorHeader.Section section : tensor.sections()) {
        String key = section.coding().columnScales();
        if (key == null) {
          continue;
        }
        Entry entry = of(key);
        if (entry.get(Column.COLUMNS) != tensor.columns()) {
          throw damage.of(
              key,
              entry.number(),
              "has scales of %d columns, and %s has %d"
                  .formatted(entry.get(Column.COLUMNS), tensor.name(), tensor.columns()));
        }
        unused.remove(key);
      }
    }
    if (!unused.isEmpty()) {
      throw damage.of("has column scales that no tensor of its header uses: " + unused);
    }
  }
}
