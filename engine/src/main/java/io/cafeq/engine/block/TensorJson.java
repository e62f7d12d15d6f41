package io.cafeq.engine.block;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.grid.GridSpec;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A {@link TensorHeader} as JSON; unknown keys are ignored when reading. */
final class TensorJson {
  private TensorJson() {}

  static ObjectNode write(TensorHeader tensor) {
    ObjectNode node = JsonNodeFactory.instance.objectNode();
    node.put("name", tensor.name());
    node.put("dtype", tensor.dtype().name());
    ArrayNode shape = node.putArray("shape");
    tensor.shape().forEach(shape::add);
    TensorHeader.Coding coding = tensor.coding();
    if (coding != null) {
      GridSpec grid = coding.grid();
      node.put("bits", grid.bits());
      node.put("group", grid.group());
      node.put("storage", grid.storage().text());
      node.put("scale_bits", grid.scaleBits());
      node.put("clip", grid.clip());
      if (coding.transform() != null) {
        node.put("transform", coding.transform().key());
        node.put("side", coding.transform().side().text());
      }
    }
    return node;
  }

  /** Throws {@link Fields.Bad}. */
  static TensorHeader read(Fields fields) {
    String name = fields.text("name");
    Dtype dtype = fields.choice("dtype", Dtype.class, Dtype::name);
    TensorHeader bare = new TensorHeader(name, dtype, shape(fields), null);
    try {
      bare.bytes();
      return new TensorHeader(name, dtype, bare.shape(), coding(fields, bare));
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw new Fields.Bad(fields.path() + " (" + name + "): " + e.getMessage());
    }
  }

  static List<Long> shape(Fields fields) {
    return fields.longs("shape");
  }

  private static TensorHeader.@Nullable Coding coding(Fields fields, TensorHeader bare) {
    if (!fields.node().has("bits")) {
      return null;
    }
    GridSpec grid = new GridSpec(
        fields.integer("bits"),
        fields.integer("group"),
        fields.choice("storage", ScaleStorage.class, ScaleStorage::text),
        fields.integer("scale_bits"),
        fields.truth("clip"));
    if (bare.shape().size() < 2) {
      throw new Fields.Bad(fields.path() + ": a quantized tensor has rows and columns, found " + bare.shape());
    }
    if (grid.group() > 0 && bare.columns() % grid.group() != 0) {
      throw new Fields.Bad(fields.path() + ": groups of " + grid.group() + " do not divide "
          + bare.columns() + " columns");
    }
    TensorHeader.TransformUse transform = fields.node().has("transform")
        ? new TensorHeader.TransformUse(fields.text("transform"), fields.choice("side", Side.class, Side::text))
        : null;
    return new TensorHeader.Coding(grid, transform);
  }
}
