package io.cafeq.tools;

import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.block.TensorHeader.Coding;
import io.cafeq.engine.block.TensorHeader.Content;
import io.cafeq.engine.block.TensorHeader.Section;
import io.cafeq.engine.checkpoint.LayoutKind;
import io.cafeq.engine.plan.UnitEstimate;
import java.util.stream.Collectors;

/** How a result's file holds a tensor, in plain words. */
final class StoredForm {
  private StoredForm() {}

  static String of(TensorHeader tensor) {
    return switch (tensor.content()) {
      case Content.Kept kept -> "its own bytes";
      case Content.Folded folded -> "a bias changed with the pair that it belongs to";
      case Content.Consumed consumed -> "nothing: its scales went into the weights";
      case Content.Quantized quantized -> layout(quantized.layout()) + sections(quantized);
    };
  }

  /** Whether only a product with another tensor is that of the source, in some rows at least. */
  static boolean isCoupled(TensorHeader tensor) {
    return tensor.sections().stream().anyMatch(section -> section.coding().coupled());
  }

  private static String layout(LayoutKind layout) {
    return layout == LayoutKind.PLAIN ? "" : layout.text() + ": ";
  }

  private static String sections(Content.Quantized quantized) {
    return quantized.sections().size() == 1
        ? coding(quantized.sections().getFirst().coding())
        : quantized.sections().stream().map(StoredForm::section).collect(Collectors.joining("; "));
  }

  private static String section(Section section) {
    String rows =
        section.rows() == 1
            ? "row " + section.firstRow()
            : "rows " + section.firstRow() + " to " + (section.end() - 1);
    return rows + ": " + coding(section.coding());
  }

  private static String coding(Coding coding) {
    TensorHeader.TransformUse transform = coding.transform();
    return UnitEstimate.describe(coding.grid())
        + (transform == null ? "" : ", " + transform.side() + " transform")
        + (coding.columnScales() == null ? "" : ", column scales")
        + (coding.coupled() ? ", factor of a pair" : "");
  }
}
