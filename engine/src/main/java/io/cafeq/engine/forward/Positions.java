package io.cafeq.engine.forward;

import java.lang.foreign.Arena;
import java.util.HashMap;
import java.util.Map;

/** The tables of rotary embedding that the layers of a decoder share. */
final class Positions {
  private final DecoderShape shape;
  private final Map<RotaryFrequencies, RotaryTable> tables = new HashMap<>();

  /**
   * @param arena owns the tables
   */
  Positions(DecoderShape shape, Arena arena, int positions) {
    this.shape = shape;
    shape
        .layers()
        .forEach(
            layer ->
                tables.computeIfAbsent(layer.rotary(), rotary -> rotary.table(arena, positions)));
  }

  static long bytes(DecoderShape shape, int positions) {
    long tables = shape.layers().stream().map(DecoderShape.Layer::rotary).distinct().count();
    return tables * 2 * Workspace.bytes(positions, shape.attention().size() / 2);
  }

  RotaryTable of(int layer) {
    RotaryFrequencies rotary = shape.layers().get(layer).rotary();
    RotaryTable table = tables.get(rotary);
    if (table == null) {
      throw new IllegalStateException("layer " + layer + " has no table");
    }
    return table;
  }
}
