package io.cafeq.engine.block;

import io.cafeq.engine.family.Coupling;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * What must hold of a header's couplings before their rows and columns are used: every row and
 * column that is coded as one of a pair belongs to exactly one head, and every folded bias to a
 * pair. Looks at ranges only, so a header that speaks of more channels than there can be costs
 * nothing.
 */
final class CouplingCheck {
  private final UnitHeader header;
  private final Map<String, Ranges> rows = new HashMap<>();
  private final Map<String, Ranges> columns = new HashMap<>();
  private final Set<String> biases = new HashSet<>();

  private CouplingCheck(UnitHeader header) {
    this.header = header;
  }

  /** Throws IllegalArgumentException. */
  static void check(UnitHeader header) {
    CouplingCheck check = new CouplingCheck(header);
    header.couplings().forEach(check::coupling);
    header.tensors().forEach(check::complete);
  }

  /** Ranges that do not overlap. */
  private static final class Ranges {
    private final TreeMap<Long, Long> ends = new TreeMap<>();
    private long total;

    /** False where a part of the range is taken already. */
    private boolean add(long first, long size) {
      Map.Entry<Long, Long> before = ends.lowerEntry(first + size);
      if (before != null && before.getValue() > first) {
        return false;
      }
      ends.put(first, first + size);
      total += size;
      return true;
    }
  }

  private void coupling(Coupling coupling) {
    TensorHeader left = header.tensor(coupling.left());
    TensorHeader right = header.tensor(coupling.right());
    int size = coupling.heads().getFirst().size();
    if (size > Coupling.LARGEST_HEAD
        || coupling.heads().stream().anyMatch(head -> head.size() != size)) {
      throw new IllegalArgumentException(
          "the heads of "
              + left.name()
              + " and "
              + right.name()
              + " must all have the same number of channels, at most "
              + Coupling.LARGEST_HEAD);
    }
    if (coupling.kind() == Coupling.Kind.VALUE_OUTPUT && columns.containsKey(right.name())) {
      throw new IllegalArgumentException(right.name() + " is coupled twice");
    }
    for (Coupling.Head head : coupling.heads()) {
      addRows(left, head.left(), size);
      for (int first : head.right()) {
        switch (coupling.kind()) {
          case VALUE_OUTPUT -> addColumns(right, first, size);
          case QUERY_KEY -> addRows(right, first, size);
        }
      }
    }
    bias(coupling.leftBias(), left);
    bias(coupling.rightBias(), right);
  }

  private void addRows(TensorHeader tensor, int first, int size) {
    if (first > tensor.allRows() - size) {
      throw new IllegalArgumentException(
          tensor.name() + " has no rows " + first + " to " + (first + (long) size));
    }
    if (first / tensor.rows() != (first + size - 1L) / tensor.rows()) {
      throw new IllegalArgumentException(
          "the head at row " + first + " of " + tensor.name() + " is of two experts");
    }
    TensorHeader.Section section = tensor.sectionOf(first).orElse(null);
    if (section == null || !section.coding().coupled() || first + (long) size > section.end()) {
      throw new IllegalArgumentException(
          "rows "
              + first
              + " to "
              + (first + (long) size)
              + " of "
              + tensor.name()
              + " are not coded as those of a pair");
    }
    if (!rows.computeIfAbsent(tensor.name(), name -> new Ranges()).add(first, size)) {
      throw new IllegalArgumentException(
          "row " + first + " of " + tensor.name() + " is coupled twice");
    }
  }

  private void addColumns(TensorHeader tensor, int first, int size) {
    boolean coupled =
        tensor.isQuantized()
            && tensor.sections().stream().allMatch(section -> section.coding().coupled());
    if (!coupled || first > tensor.columns() - size) {
      throw new IllegalArgumentException(
          tensor.name() + " has no coupled columns " + first + " to " + (first + (long) size));
    }
    if (!columns.computeIfAbsent(tensor.name(), name -> new Ranges()).add(first, size)) {
      throw new IllegalArgumentException(
          "column " + first + " of " + tensor.name() + " is coupled twice");
    }
  }

  private void bias(Optional<String> name, TensorHeader matrix) {
    if (name.isPresent()) {
      TensorHeader bias = header.tensor(name.get());
      boolean isFolded = bias.content() instanceof TensorHeader.Content.Folded;
      if (!isFolded
          || bias.shape().size() != 1
          || bias.elements() != matrix.allRows()
          || !bias.dtype().isWeight()) {
        throw new IllegalArgumentException(bias.name() + " is no bias of " + matrix.name());
      }
      biases.add(bias.name());
    }
  }

  /** What is said to be one of a pair must be, or nothing would compare it with the source. */
  private void complete(TensorHeader tensor) {
    Ranges ofColumns = columns.get(tensor.name());
    Ranges ofRows = rows.get(tensor.name());
    long coupled =
        tensor.sections().stream()
            .filter(section -> section.coding().coupled())
            .mapToLong(TensorHeader.Section::rows)
            .sum();
    if (ofColumns != null && (ofRows != null || ofColumns.total != tensor.columns())) {
      throw new IllegalArgumentException(
          "couplings meet "
              + ofColumns.total
              + " of "
              + tensor.columns()
              + " columns of "
              + tensor.name()
              + (ofRows == null ? "" : ", and its rows as well"));
    }
    if (ofColumns == null && coupled != (ofRows == null ? 0 : ofRows.total)) {
      throw new IllegalArgumentException(
          coupled
              + " rows of "
              + tensor.name()
              + " are coded as those of a pair, couplings "
              + "name "
              + (ofRows == null ? 0 : ofRows.total));
    }
    if (tensor.content() instanceof TensorHeader.Content.Folded
        && !biases.contains(tensor.name())) {
      throw new IllegalArgumentException(tensor.name() + " is folded, but no bias of a pair");
    }
  }
}
