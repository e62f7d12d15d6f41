package io.cafeq.engine.quantize;

import io.cafeq.config.Side;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.block.UnitFileReader;
import io.cafeq.engine.block.UnitFileWriter;
import io.cafeq.engine.block.UnitHeader;
import io.cafeq.engine.block.UnitRow;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.plan.Unit;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Takes over the rows of a finished file that a changed unit still has, so that nothing is learned
 * twice.
 */
final class KeptRows {
  private KeptRows() {}

  static void copy(
      Path file,
      UnitHeader header,
      Unit.Quantized changed,
      List<PartWork.Outcome> outcomes,
      UnitFileWriter writer,
      StopFlag stop) {
    Map<String, TreeMap<Long, Long>> replaced = new HashMap<>();
    for (int i = 0; i < outcomes.size(); i++) {
      if (outcomes.get(i).fallBack().isPresent()) {
        ranges(changed.parts().get(i))
            .forEach(
                range ->
                    replaced
                        .computeIfAbsent(range.tensor().name(), name -> new TreeMap<>())
                        .put((long) range.first(), (long) range.first() + range.count()));
      }
    }
    Set<String> keys = keys(header);
    Set<String> scaleKeys = scaleKeys(header, replaced);
    try (UnitFileReader reader = UnitFileReader.open(file)) {
      reader.forEach(
          row -> {
            stop.check();
            switch (row) {
              case UnitRow.Transform(String key, var transform) -> {
                boolean output = transform.side() == Side.OUTPUT;
                if (keys.contains(key)
                    && !(output && isReplaced(replaced.get(key), transform.firstChannel()))) {
                  writer.writeTransform(key, transform);
                }
              }
              case UnitRow.Slab(String tensor, int expert, long firstRow, var slab) -> {
                long first = header.tensor(tensor).overall(expert, firstRow);
                if (!isReplaced(replaced.get(tensor), first)) {
                  writer.writeSlab(tensor, expert, firstRow, slab);
                }
              }
              case UnitRow.Scales(String key, var scales) -> {
                if (scaleKeys.contains(key)) {
                  writer.writeColumnScales(key, scales);
                }
              }
              // Biases depend on all pairs of the unit and are written anew.
              case UnitRow.Raw raw -> {}
            }
          });
    }
  }

  private static List<Part.RowRange> ranges(Part part) {
    return switch (part) {
      case Part.Stack stack -> stack.rows();
      case Part.Pair pair ->
          Stream.concat(pair.leftRows().stream(), pair.rightRows().stream()).toList();
    };
  }

  private static Set<String> keys(UnitHeader header) {
    Set<String> keys = new HashSet<>();
    for (TensorHeader tensor : header.tensors()) {
      for (TensorHeader.Section section : tensor.sections()) {
        TensorHeader.TransformUse use = section.coding().transform();
        if (use != null) {
          keys.add(use.key());
        }
      }
    }
    return keys;
  }

  /** Of the rows that are kept; a part that is done again writes its own. */
  private static Set<String> scaleKeys(
      UnitHeader header, Map<String, TreeMap<Long, Long>> replaced) {
    Set<String> keys = new HashSet<>();
    for (TensorHeader tensor : header.tensors()) {
      for (TensorHeader.Section section : tensor.sections()) {
        String key = section.coding().columnScales();
        if (key != null && !isReplaced(replaced.get(tensor.name()), section.firstRow())) {
          keys.add(key);
        }
      }
    }
    return keys;
  }

  private static boolean isReplaced(@Nullable TreeMap<Long, Long> ranges, long row) {
    Map.Entry<Long, Long> range = ranges == null ? null : ranges.floorEntry(row);
    return range != null && row < range.getValue();
  }
}
