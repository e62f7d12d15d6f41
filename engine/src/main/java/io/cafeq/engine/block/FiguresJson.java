package io.cafeq.engine.block;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.receipt.ErrorFigures;
import io.cafeq.engine.receipt.PairFigures;
import io.cafeq.engine.receipt.UnitFigures;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@link UnitFigures} as JSON. */
final class FiguresJson {
  private FiguresJson() {}

  static ObjectNode write(UnitFigures figures) {
    ObjectNode node = JsonNodeFactory.instance.objectNode();
    node.put("weights", figures.weights());
    node.put("squared_norm", figures.squaredNorm());
    put(node, "output_norm", figures.outputNorm());
    put(node, "result", figures.result());
    put(node, "plain", figures.plain());
    put(node, "plain_clipped", figures.plainClipped());
    put(node, "plain_equal_bits", figures.plainEqualBits());
    node.put("fell_back", figures.fellBack());
    node.put("description", figures.description());
    if (!figures.pairs().isEmpty()) {
      ArrayNode pairs = node.putArray("pairs");
      figures.pairs().forEach(pair -> write(pairs.addObject(), pair));
    }
    return node;
  }

  /** Throws {@link Fields.Bad}. */
  static UnitFigures read(Fields fields) {
    return new UnitFigures(
        fields.count("weights"),
        fields.number("squared_norm"),
        number(fields, "output_norm"),
        error(fields.object("result")),
        optional(fields, "plain"),
        optional(fields, "plain_clipped"),
        optional(fields, "plain_equal_bits"),
        fields.truth("fell_back"),
        fields.node().has("pairs") ? fields.list("pairs", FiguresJson::pair) : List.of(),
        fields.text("description"));
  }

  private static void write(ObjectNode node, PairFigures pair) {
    node.put("left", pair.left());
    node.put("right", pair.right());
    node.put("weights", pair.weights());
    node.put("squared_norm", pair.squaredNorm());
    put(node, "result", pair.result());
    put(node, "plain", pair.plain());
    put(node, "plain_clipped", pair.plainClipped());
    put(node, "plain_equal_bits", pair.plainEqualBits());
    put(node, "rotation", pair.rotation());
    put(node, "learned", pair.learned());
  }

  private static PairFigures pair(Fields fields) {
    return new PairFigures(
        fields.text("left"),
        fields.text("right"),
        fields.count("weights"),
        fields.number("squared_norm"),
        fields.number("result"),
        number(fields, "plain"),
        number(fields, "plain_clipped"),
        number(fields, "plain_equal_bits"),
        number(fields, "rotation"),
        number(fields, "learned"));
  }

  private static void put(ObjectNode node, String key, @Nullable Double value) {
    if (value != null) {
      node.put(key, value.doubleValue());
    }
  }

  private static @Nullable Double number(Fields fields, String key) {
    return fields.node().has(key) ? (Double) fields.number(key) : null;
  }

  private static void put(ObjectNode node, String key, @Nullable ErrorFigures figures) {
    if (figures != null) {
      ObjectNode error = node.putObject(key).put("squared_error", figures.squaredError());
      put(error, "output_error", figures.outputError());
      error.put("bits", figures.bits());
    }
  }

  private static @Nullable ErrorFigures optional(Fields fields, String key) {
    Fields found = fields.optional(key);
    return found == null ? null : error(found);
  }

  private static ErrorFigures error(Fields fields) {
    return new ErrorFigures(
        fields.number("squared_error"), number(fields, "output_error"), fields.count("bits"));
  }
}
