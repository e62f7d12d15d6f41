package io.cafeq.engine.block;

import io.cafeq.engine.plan.Coupling;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;

/** What must hold of a header's couplings before their rows and columns are used. */
final class CouplingCheck {
  private CouplingCheck() {}

  /** Throws IllegalArgumentException. */
  static void check(UnitHeader header) {
    for (Coupling coupling : header.couplings()) {
      TensorHeader left = header.tensor(coupling.left());
      TensorHeader right = header.tensor(coupling.right());
      Set<Integer> leftChannels = new HashSet<>();
      Set<Integer> rightChannels = new HashSet<>();
      for (Coupling.Head head : coupling.heads()) {
        rows(left, head.left(), head.size(), leftChannels);
        for (int first : head.right()) {
          switch (coupling.kind()) {
            case VALUE_OUTPUT -> columns(right, first, head.size(), rightChannels);
            case QUERY_KEY -> rows(right, first, head.size(), rightChannels);
          }
        }
      }
      if (coupling.kind() == Coupling.Kind.VALUE_OUTPUT && rightChannels.size() != right.columns()) {
        throw new IllegalArgumentException("the heads of " + coupling.left() + " meet " + rightChannels.size() + " of "
            + right.columns() + " columns of " + right.name());
      }
      bias(header, coupling.leftBias(), left);
      bias(header, coupling.rightBias(), right);
    }
  }

  private static void rows(TensorHeader tensor, int first, int size, Set<Integer> taken) {
    if (first > tensor.allRows() - size) {
      throw new IllegalArgumentException(tensor.name() + " has no rows " + first + " to " + (first + (long) size));
    }
    for (int row = first; row < first + size; row++) {
      if (!taken.add(row) || tensor.sectionOf(row).filter(section -> section.coding().coupled()).isEmpty()) {
        throw new IllegalArgumentException("row " + row + " of " + tensor.name() + " is coupled twice, or not at all");
      }
    }
  }

  private static void columns(TensorHeader tensor, int first, int size, Set<Integer> taken) {
    boolean coupled = tensor.isQuantized() && tensor.sections().stream().allMatch(section -> section.coding().coupled());
    if (!coupled || first > tensor.columns() - size) {
      throw new IllegalArgumentException(
          tensor.name() + " has no coupled columns " + first + " to " + (first + (long) size));
    }
    for (int column = first; column < first + size; column++) {
      if (!taken.add(column)) {
        throw new IllegalArgumentException("column " + column + " of " + tensor.name() + " is coupled twice");
      }
    }
  }

  private static void bias(UnitHeader header, Optional<String> name, TensorHeader matrix) {
    if (name.isPresent()) {
      TensorHeader bias = header.tensor(name.get());
      if (!bias.isRaw() || bias.elements() != matrix.allRows()) {
        throw new IllegalArgumentException(bias.name() + " is no bias of " + matrix.name());
      }
    }
  }
}
