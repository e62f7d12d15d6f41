package io.cafeq.engine.model;

import io.cafeq.config.Side;
import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.SlabDecoder;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.block.UnitFileReader;
import io.cafeq.engine.block.UnitRow;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.transform.ColumnScales;
import io.cafeq.engine.transform.StoredTransform;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The quantized matrices of a result folder as its files hold them: values of the codes, and the
 * transforms beside them.
 */
final class ResultMatrices {
  private final Map<OnlineProducts.Key, OnlineProducts.Transformed> matrices = new HashMap<>();

  private ResultMatrices() {}

  static Map<OnlineProducts.Key, OnlineProducts.Transformed> read(Path result) {
    ResultMatrices read = new ResultMatrices();
    for (Manifest.UnitEntry unit : Manifest.read(result).units()) {
      try (UnitFileReader reader = UnitFileReader.open(result.resolve(unit.file()))) {
        for (TensorHeader tensor : reader.header().tensors()) {
          if (tensor.isQuantized()) {
            read.add(reader, tensor);
          }
        }
      }
    }
    return read.matrices;
  }

  private void add(UnitFileReader reader, TensorHeader header) {
    String tensor = header.name();
    Map<Integer, List<double[]>> experts = new TreeMap<>();
    reader.forEachSlab(
        tensor,
        slab -> {
          try (Arena arena = Arena.ofConfined()) {
            FloatMatrix values =
                FloatMatrix.allocate(arena, slab.slab().rows(), slab.slab().columns());
            new SlabDecoder().decode(slab.slab(), 0, null, 0, values);
            List<double[]> rows =
                experts.computeIfAbsent(Math.max(0, slab.expert()), expert -> new ArrayList<>());
            for (int row = 0; row < values.rows(); row++) {
              double[] copy = new double[values.columns()];
              for (int i = 0; i < copy.length; i++) {
                copy[i] =
                    values
                        .segment()
                        .getAtIndex(ValueLayout.JAVA_FLOAT, (long) row * copy.length + i);
              }
              rows.add(copy);
            }
          }
        });
    String name =
        tensor.endsWith(StoredTensors.BLOCKS)
            ? tensor.substring(0, tensor.length() - StoredTensors.BLOCKS.length())
            : tensor;
    experts.forEach(
        (expert, list) -> {
          double[][] rows = list.toArray(double[][]::new);
          matrices.put(
              new OnlineProducts.Key(name, expert),
              new OnlineProducts.Transformed(
                  rows, sections(reader, header, expert * rows.length, rows)));
        });
  }

  /**
   * Files count rows through all experts; {@code before} is the number of those of earlier experts.
   */
  private static List<OnlineProducts.Section> sections(
      UnitFileReader reader, TensorHeader header, int before, double[][] rows) {
    List<OnlineProducts.Section> sections = new ArrayList<>();
    for (TensorHeader.Section section : header.sections()) {
      int first = (int) Math.max(section.firstRow(), before) - before;
      int end = (int) Math.min(section.end(), before + rows.length) - before;
      if (first < end) {
        TensorHeader.TransformUse use = section.coding().transform();
        boolean coupled = section.coding().coupled();
        List<Double> inverses = inverses(reader, section.coding().columnScales());
        if (use == null) {
          sections.add(
              new OnlineProducts.Section(
                  first, end - first, Side.OUTPUT, List.of(), coupled, inverses));
        } else {
          List<OnlineProducts.Block> blocks =
              switch (use.side()) {
                case OUTPUT -> blocks(reader, use.key(), before, first, end);
                case INPUT -> blocks(reader, use.key(), 0, 0, rows[0].length);
              };
          sections.add(
              new OnlineProducts.Section(
                  first, end - first, use.side(), blocks, coupled, inverses));
        }
      }
    }
    return sections;
  }

  private static List<Double> inverses(UnitFileReader reader, @Nullable String key) {
    List<Double> inverses = new ArrayList<>();
    if (key != null) {
      reader.forEach(
          row -> {
            if (row instanceof UnitRow.Scales(String name, ColumnScales scales)
                && name.equals(key)) {
              for (int i = 0; i < scales.channels(); i++) {
                inverses.add((double) scales.inverse(i));
              }
            }
          });
    }
    return inverses;
  }

  private static List<OnlineProducts.Block> blocks(
      UnitFileReader reader, String key, int before, int first, int end) {
    List<OnlineProducts.Block> blocks = new ArrayList<>();
    int channel = first;
    while (channel < end) {
      StoredTransform transform = reader.transform(key, before + channel);
      float[] inverse = transform.inverse();
      double[][] p = new double[transform.k()][transform.k()];
      for (int i = 0; i < inverse.length; i++) {
        p[i / p.length][i % p.length] = inverse[i];
      }
      blocks.add(new OnlineProducts.Block(channel, p));
      channel += p.length;
    }
    return blocks;
  }
}
