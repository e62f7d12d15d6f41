package io.cafeq.engine.block;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.engine.block.TensorHeader.Coding;
import io.cafeq.engine.block.TensorHeader.Content;
import io.cafeq.engine.block.TensorHeader.Section;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.LayoutKind;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.HalfType;
import java.util.List;

/**
 * A {@link TensorHeader} as JSON; unknown keys are ignored when reading. A tensor that is coded
 * alike throughout has its coding beside its name; others have a list of sections.
 */
final class TensorJson {
  private static final String STATE = "state";
  private static final String FOLDED = "folded";
  private static final String CONSUMED = "consumed";
  private static final String SECTIONS = "sections";
  private static final String WEIGHTS = "weights";
  private static final String SCALE_TYPE = "scale_type";
  private static final String COLUMN_SCALES = "column_scales";

  private TensorJson() {}

  static ObjectNode write(TensorHeader tensor) {
    ObjectNode node = JsonNodeFactory.instance.objectNode();
    node.put("name", tensor.name());
    node.put("dtype", tensor.dtype().name());
    ArrayNode shape = node.putArray("shape");
    tensor.shape().forEach(shape::add);
    switch (tensor.content()) {
      case Content.Kept kept -> {}
      case Content.Folded folded -> node.put(STATE, FOLDED);
      case Content.Consumed consumed -> node.put(STATE, CONSUMED);
      case Content.Quantized(LayoutKind layout, List<Long> weights, List<Section> sections) -> {
        if (layout != LayoutKind.PLAIN) {
          node.put("layout", layout.text());
        }
        if (!weights.isEmpty()) {
          ArrayNode lengths = node.putArray(WEIGHTS);
          weights.forEach(lengths::add);
        }
        if (sections.size() == 1) {
          write(node, sections.getFirst().coding());
        } else {
          ArrayNode array = node.putArray(SECTIONS);
          for (Section section : sections) {
            write(array.addObject().put("rows", section.rows()), section.coding());
          }
        }
      }
    }
    return node;
  }

  private static void write(ObjectNode node, Coding coding) {
    GridSpec grid = coding.grid();
    node.put("bits", grid.bits());
    node.put("group", grid.group());
    node.put("storage", grid.storage().text());
    node.put("scale_bits", grid.scaleBits());
    node.put("clip", grid.clip());
    if (grid.halves() != HalfType.F16) {
      node.put(SCALE_TYPE, grid.halves().text());
    }
    if (coding.transform() != null) {
      node.put("transform", coding.transform().key());
      node.put("side", coding.transform().side().text());
    }
    if (coding.columnScales() != null) {
      node.put(COLUMN_SCALES, coding.columnScales());
    }
    if (coding.coupled()) {
      node.put("coupled", true);
    }
  }

  /** Throws {@link Fields.Bad}. */
  static TensorHeader read(Fields fields) {
    String name = fields.text("name");
    Dtype dtype = fields.choice("dtype", Dtype.class, Dtype::name);
    List<Long> shape = shape(fields);
    try {
      TensorHeader tensor = new TensorHeader(name, dtype, shape, content(fields, shape));
      tensor.bytes();
      for (Section section : tensor.sections()) {
        int group = section.coding().grid().group();
        if (group > 0 && tensor.columns() % group != 0) {
          throw new Fields.Bad(
              fields.path()
                  + ": groups of "
                  + group
                  + " do not divide "
                  + tensor.columns()
                  + " columns");
        }
      }
      return tensor;
    } catch (Fields.Bad | IllegalArgumentException | ArithmeticException e) {
      throw new Fields.Bad(fields.path() + " (" + name + "): " + e.getMessage());
    }
  }

  static List<Long> shape(Fields fields) {
    return fields.longs("shape");
  }

  private static Content content(Fields fields, List<Long> shape) {
    if (fields.node().has(STATE)) {
      String state = fields.text(STATE);
      return switch (state) {
        case FOLDED -> new Content.Folded();
        case CONSUMED -> new Content.Consumed();
        default -> throw new Fields.Bad(fields.path() + ": state is " + state);
      };
    }
    boolean divided = fields.node().has(SECTIONS);
    if (!divided && !fields.node().has("bits")) {
      return new Content.Kept();
    }
    LayoutKind layout =
        fields.node().has("layout")
            ? fields.choice("layout", LayoutKind.class, LayoutKind::text)
            : LayoutKind.PLAIN;
    List<Long> weights = layout.statesShape() ? fields.longs(WEIGHTS) : List.of();
    List<Long> counted = layout.statesShape() ? weights : shape;
    if (!layout.accepts(counted.size())) {
      throw new Fields.Bad(
          fields.path()
              + ": a quantized tensor that is "
              + layout.text()
              + " has the shape "
              + counted);
    }
    if (divided) {
      long[] next = {0};
      return new Content.Quantized(
          layout,
          weights,
          fields.list(
              SECTIONS,
              section -> {
                long rows = section.count("rows");
                long first = next[0];
                next[0] = Math.addExact(first, rows);
                return new Section(first, rows, coding(section));
              }));
    }
    long rows = Math.multiplyExact(layout.experts(counted), layout.rows(counted));
    return new Content.Quantized(layout, weights, List.of(new Section(0, rows, coding(fields))));
  }

  private static HalfType halves(Fields fields) {
    return fields.node().has(SCALE_TYPE)
        ? fields.choice(SCALE_TYPE, HalfType.class, HalfType::text)
        : HalfType.F16;
  }

  private static Coding coding(Fields fields) {
    GridSpec grid =
        new GridSpec(
            fields.integer("bits"),
            fields.integer("group"),
            fields.choice("storage", ScaleStorage.class, ScaleStorage::text),
            fields.integer("scale_bits"),
            fields.truth("clip"),
            halves(fields));
    TensorHeader.TransformUse transform =
        fields.node().has("transform")
            ? new TensorHeader.TransformUse(
                fields.text("transform"), fields.choice("side", Side.class, Side::text))
            : null;
    String columnScales = fields.node().has(COLUMN_SCALES) ? fields.text(COLUMN_SCALES) : null;
    boolean coupled = fields.node().has("coupled") && fields.truth("coupled");
    return new Coding(grid, transform, columnScales, coupled);
  }
}
