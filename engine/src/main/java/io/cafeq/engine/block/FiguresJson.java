package io.cafeq.engine.block;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.receipt.ErrorFigures;
import io.cafeq.engine.receipt.UnitFigures;
import org.jspecify.annotations.Nullable;

/** {@link UnitFigures} as JSON. */
final class FiguresJson {
  private FiguresJson() {}

  static ObjectNode write(UnitFigures figures) {
    ObjectNode node = JsonNodeFactory.instance.objectNode();
    node.put("weights", figures.weights());
    node.put("squared_norm", figures.squaredNorm());
    put(node, "result", figures.result());
    put(node, "plain", figures.plain());
    put(node, "plain_clipped", figures.plainClipped());
    put(node, "plain_equal_bits", figures.plainEqualBits());
    node.put("fell_back", figures.fellBack());
    node.put("description", figures.description());
    return node;
  }

  /** Throws {@link Fields.Bad}. */
  static UnitFigures read(Fields fields) {
    return new UnitFigures(
        fields.count("weights"),
        fields.number("squared_norm"),
        error(fields.object("result")),
        optional(fields, "plain"),
        optional(fields, "plain_clipped"),
        optional(fields, "plain_equal_bits"),
        fields.truth("fell_back"),
        fields.text("description"));
  }

  private static void put(ObjectNode node, String key, @Nullable ErrorFigures figures) {
    if (figures != null) {
      node.putObject(key).put("squared_error", figures.squaredError()).put("bits", figures.bits());
    }
  }

  private static @Nullable ErrorFigures optional(Fields fields, String key) {
    Fields found = fields.optional(key);
    return found == null ? null : error(found);
  }

  private static ErrorFigures error(Fields fields) {
    return new ErrorFigures(fields.number("squared_error"), fields.count("bits"));
  }
}
