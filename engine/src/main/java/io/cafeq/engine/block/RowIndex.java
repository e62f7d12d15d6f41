package io.cafeq.engine.block;

import io.cafeq.config.Side;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Which rows a file has, known to fit its header: every weight and every byte of every tensor
 * exactly once, every block of every transform exactly once.
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
      long number,
      int batch,
      int place,
      Column.Kind kind,
      String name,
      long[] fixed,
      long payloadBytes) {
    long get(Column column) {
      return fixed[column.ordinal()];
    }
  }

  private final Damage damage;
  private final UnitHeader header;
  private final Map<String, List<Entry>> rows = new HashMap<>();
  private final BlockIndex blocks;
  private final ScalesIndex columnScales;
  private final Map<SlabPlace, Entry> exponents = new HashMap<>();

  /** What a slab and the exponents of its rows have in common. */
  private record SlabPlace(String tensor, long expert, long firstRow) {
    private static SlabPlace of(Entry entry) {
      return new SlabPlace(entry.name(), entry.get(Column.EXPERT), entry.get(Column.FIRST_ROW));
    }
  }

  private RowIndex(Damage damage, UnitHeader header) {
    this.damage = damage;
    this.header = header;
    this.blocks = new BlockIndex(damage);
    this.columnScales = new ScalesIndex(damage);
  }

  static RowIndex of(Damage damage, UnitHeader header, List<Entry> entries) {
    RowIndex index = new RowIndex(damage, header);
    for (Entry entry : entries) {
      switch (entry.kind()) {
        case TRANSFORM -> index.blocks.add(entry);
        case SLAB, RAW ->
            index.rows.computeIfAbsent(entry.name(), name -> new ArrayList<>()).add(entry);
        case EXPONENTS -> index.addExponents(entry);
        case COLUMN_SCALES -> index.columnScales.add(entry);
      }
    }
    index.check();
    return index;
  }

  /** Slabs by expert and first row, or raw rows by offset. */
  List<Entry> rows(String tensor) {
    return rows.getOrDefault(tensor, new ArrayList<>());
  }

  /**
   * The row of the file that has a tensor's row {@code row}, counted through all experts; null
   * beyond the last.
   */
  @Nullable Entry slab(TensorHeader tensor, long row) {
    List<Entry> entries = rows(tensor.name());
    int low = 0;
    int high = entries.size();
    while (low < high) {
      int middle = (low + high) / 2;
      Entry entry = entries.get(middle);
      if (firstRow(tensor, entry) + entry.get(Column.ROWS) <= row) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low < entries.size() ? entries.get(low) : null;
  }

  /** The blocks of the file's transforms. */
  BlockIndex blocks() {
    return blocks;
  }

  /** The file's column scales. */
  ScalesIndex columnScales() {
    return columnScales;
  }

  /** Whether some row of the tensor has an exponent. */
  boolean hasExponents(String tensor) {
    return exponents.keySet().stream().anyMatch(place -> place.tensor().equals(tensor));
  }

  /** The exponents of a slab's rows; null where they are all 0. */
  @Nullable Entry exponents(Entry slab) {
    return exponents.get(SlabPlace.of(slab));
  }

  private void addExponents(Entry entry) {
    Entry other = exponents.put(SlabPlace.of(entry), entry);
    if (other != null) {
      throw damage.of(
          entry.name(),
          entry.number(),
          "the exponents of its slab are in row " + other.number() + " already");
    }
  }

  private void checkExponents() {
    Set<Entry> unused = new HashSet<>(exponents.values());
    for (List<Entry> entries : rows.values()) {
      for (Entry entry : entries) {
        Entry found = entry.kind() == Column.Kind.SLAB ? exponents(entry) : null;
        if (found != null && found.get(Column.ROWS) == entry.get(Column.ROWS)) {
          unused.remove(found);
        }
      }
    }
    unused.stream()
        .min(Comparator.comparingLong(Entry::number))
        .ifPresent(
            entry -> {
              throw damage.of(
                  entry.name(), entry.number(), "has exponents for the rows of no slab");
            });
  }

  private void check() {
    for (TensorHeader tensor : header.tensors()) {
      switch (tensor.content()) {
        case TensorHeader.Content.Kept kept -> checkRaw(tensor);
        case TensorHeader.Content.Folded folded -> checkRaw(tensor);
        case TensorHeader.Content.Consumed consumed -> {
          if (!rows(tensor.name()).isEmpty()) {
            throw damage.of("has rows of " + tensor.name() + ", which went into another tensor");
          }
        }
        case TensorHeader.Content.Quantized quantized -> checkSlabs(tensor);
      }
    }
    blocks.check(header);
    columnScales.check(header);
    checkExponents();
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
        throw damage.of(
            tensor.name(),
            entry.number(),
            "bytes from "
                + next
                + " on should follow, found "
                + entry.kind()
                + " at "
                + entry.get(Column.BYTE_OFFSET));
      }
      next += entry.payloadBytes();
    }
    if (next != tensor.bytes()) {
      throw damage.of(
          "tensor " + tensor.name() + " has " + next + " bytes in its rows, not " + tensor.bytes());
    }
  }

  /** The row that a slab begins with, counted through all experts. */
  static long firstRow(TensorHeader tensor, Entry entry) {
    return tensor.overall(entry.get(Column.EXPERT), entry.get(Column.FIRST_ROW));
  }

  private void checkSlabs(TensorHeader tensor) {
    List<Entry> entries = rows(tensor.name());
    entries.sort(
        Comparator.<Entry>comparingLong(entry -> entry.get(Column.EXPERT))
            .thenComparingLong(entry -> entry.get(Column.FIRST_ROW)));
    long expert = tensor.firstExpert();
    long next = 0;
    long done = 0;
    for (Entry entry : entries) {
      long count = entry.get(Column.ROWS);
      boolean sound =
          entry.kind() == Column.Kind.SLAB
              && entry.get(Column.EXPERT) == expert
              && entry.get(Column.FIRST_ROW) == next
              && count > 0
              && count <= Math.min(tensor.rows() - next, Integer.MAX_VALUE)
              && entry.get(Column.COLUMNS) == tensor.columns();
      if (!sound) {
        throw damage.of(
            tensor.name(),
            entry.number(),
            "output channel "
                + next
                + " should follow with "
                + tensor.columns()
                + " columns, found "
                + entry.get(Column.FIRST_ROW)
                + " and "
                + count
                + " more with "
                + entry.get(Column.COLUMNS));
      }
      checkSection(tensor, entry, done, done + count);
      next += count;
      done += count;
      if (next == tensor.rows()) {
        next = 0;
        expert++;
      }
    }
    if (done != tensor.allRows() && tensor.elements() > 0) {
      throw damage.of(
          "tensor "
              + tensor.name()
              + " has "
              + done
              + " output channels in its rows, not "
              + tensor.allRows());
    }
  }

  private void checkSection(TensorHeader tensor, Entry entry, long first, long end) {
    TensorHeader.Section section = tensor.sectionOf(first).orElse(null);
    if (section == null || end > section.end()) {
      throw damage.of(
          tensor.name(), entry.number(), "its rows are not coded alike, says the header");
    }
    TensorHeader.TransformUse transform = section.coding().transform();
    if (transform != null
        && transform.side() == Side.OUTPUT
        && !blocks.isBoundary(transform.key(), end)) {
      throw damage.of(
          tensor.name(), entry.number(), "ends inside a block of its output-side transform");
    }
  }
}
