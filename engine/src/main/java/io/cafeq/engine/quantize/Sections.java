package io.cafeq.engine.quantize;

import io.cafeq.config.Side;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.block.TensorHeader.Coding;
import io.cafeq.engine.block.TensorHeader.Section;
import io.cafeq.engine.block.TensorHeader.TransformUse;
import io.cafeq.engine.block.UnitHeader;
import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.plan.PairTreatment;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.plan.Part.RowRange;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.receipt.JobIdentity;
import io.cafeq.engine.transform.TransformSpec;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** How the rows of a unit's tensors are coded, as its file's header says. */
final class Sections {
  private final Map<String, TreeMap<Integer, Section>> sections = new HashMap<>();
  private final Set<String> folded = new HashSet<>();
  private final List<Coupling> couplings = new ArrayList<>();

  private Sections(Unit.Quantized unit) {
    for (int i = 0; i < unit.parts().size(); i++) {
      switch (unit.parts().get(i)) {
        case Part.Stack stack -> add(unit, i, stack);
        case Part.Pair pair -> add(pair);
      }
    }
  }

  static UnitHeader header(Unit.Quantized unit, JobIdentity identity, String kernel) {
    Sections sections = new Sections(unit);
    List<TensorHeader> tensors = unit.tensors().stream().map(sections::header).toList();
    return new UnitHeader(unit.id(), identity, kernel, tensors, sections.couplings);
  }

  /**
   * Under what a stack's transform is stored: tensors of one input share blocks, output-side blocks
   * are a tensor's own.
   */
  static String key(Unit.Quantized unit, int part, RowRange range, Side side) {
    Part.Stack stack = (Part.Stack) unit.parts().get(part);
    boolean alone = stack.rows().stream().allMatch(other -> other.tensor().equals(range.tensor()));
    if (side == Side.OUTPUT || (unit.parts().size() == 1 && alone)) {
      return range.tensor().name();
    }
    return unit.parts().size() == 1 ? unit.id() : unit.id() + "#" + part;
  }

  private void add(Unit.Quantized unit, int part, Part.Stack stack) {
    for (RowRange range : stack.rows()) {
      TransformUse use =
          switch (stack.treatment().transform()) {
            case TransformSpec.None none -> null;
            case BlockDiagonal blocks ->
                new TransformUse(key(unit, part, range, blocks.side()), blocks.side());
          };
      String columnScales =
          stack.treatment().columnScales() ? key(unit, part, range, Side.INPUT) : null;
      add(range, new Coding(stack.treatment().grid(), use, columnScales, false));
    }
  }

  private void add(Part.Pair pair) {
    PairTreatment treatment = pair.treatment();
    boolean reversed = treatment.isReversed();
    Side rightSide =
        pair.coupling().kind() == Coupling.Kind.VALUE_OUTPUT ? Side.INPUT : Side.OUTPUT;
    TransformUse leftUse = reversed ? new TransformUse(pair.left().name(), Side.OUTPUT) : null;
    TransformUse rightUse = reversed ? new TransformUse(pair.right().name(), rightSide) : null;
    pair.leftRows().forEach(range -> add(range, new Coding(treatment.left(), leftUse, true)));
    pair.rightRows().forEach(range -> add(range, new Coding(treatment.right(), rightUse, true)));
    Coupling coupling = pair.coupling();
    if (treatment.settings().reverse()) {
      // Biases stay as they are then, with the tensors that keep their bytes.
      couplings.add(
          new Coupling(
              coupling.kind(),
              coupling.left(),
              Optional.empty(),
              coupling.right(),
              Optional.empty(),
              coupling.heads()));
    } else {
      couplings.add(coupling);
      coupling.leftBias().ifPresent(folded::add);
      coupling.rightBias().ifPresent(folded::add);
    }
  }

  private void add(RowRange range, Coding coding) {
    sections
        .computeIfAbsent(range.tensor().name(), name -> new TreeMap<>())
        .put(range.first(), new Section(range.first(), range.count(), coding));
  }

  private TensorHeader header(PlannedTensor tensor) {
    TreeMap<Integer, Section> found = sections.get(tensor.name());
    if (found != null) {
      return TensorHeader.quantized(tensor.weight(), merged(found.values()));
    }
    TensorHeader.Content content =
        folded.contains(tensor.name())
            ? new TensorHeader.Content.Folded()
            : new TensorHeader.Content.Consumed();
    return new TensorHeader(tensor.name(), tensor.info().dtype(), tensor.info().shape(), content);
  }

  /** Neighbours that are coded alike are one section. */
  private static List<Section> merged(Iterable<Section> sections) {
    List<Section> merged = new ArrayList<>();
    for (Section section : sections) {
      Section last = merged.isEmpty() ? null : merged.getLast();
      if (last != null
          && last.end() == section.firstRow()
          && last.coding().equals(section.coding())) {
        merged.set(
            merged.size() - 1,
            new Section(last.firstRow(), last.rows() + section.rows(), section.coding()));
      } else {
        merged.add(section);
      }
    }
    return merged;
  }
}
