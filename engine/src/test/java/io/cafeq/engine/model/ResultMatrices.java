package io.cafeq.engine.model;

import io.cafeq.config.Side;
import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.SlabDecoder;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.block.UnitFileReader;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.transform.StoredTransform;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The quantized matrices of a result folder as its files hold them: values of the codes, and the transforms beside them. */
final class ResultMatrices {
  private final Map<OnlineProducts.Key, OnlineProducts.Transformed> matrices = new HashMap<>();

  private ResultMatrices() {}

  static Map<OnlineProducts.Key, OnlineProducts.Transformed> read(Path result) {
    ResultMatrices read = new ResultMatrices();
    for (Manifest.UnitEntry unit : Manifest.read(result).units()) {
      try (UnitFileReader reader = UnitFileReader.open(result.resolve(unit.file()))) {
        for (TensorHeader tensor : reader.header().tensors()) {
          TensorHeader.Coding coding = tensor.coding();
          if (coding != null) {
            read.add(reader, tensor.name(), coding);
          }
        }
      }
    }
    return read.matrices;
  }

  private void add(UnitFileReader reader, String tensor, TensorHeader.Coding coding) {
    Map<Integer, List<double[]>> experts = new TreeMap<>();
    reader.forEachSlab(tensor, slab -> {
      try (Arena arena = Arena.ofConfined()) {
        FloatMatrix values = FloatMatrix.allocate(arena, slab.slab().rows(), slab.slab().columns());
        new SlabDecoder().decode(slab.slab(), 0, null, 0, values);
        List<double[]> rows = experts.computeIfAbsent(Math.max(0, slab.expert()), expert -> new ArrayList<>());
        for (int row = 0; row < values.rows(); row++) {
          double[] copy = new double[values.columns()];
          for (int i = 0; i < copy.length; i++) {
            copy[i] = values.segment().getAtIndex(ValueLayout.JAVA_FLOAT, (long) row * copy.length + i);
          }
          rows.add(copy);
        }
      }
    });
    TensorHeader.TransformUse use = coding.transform();
    String name = tensor.endsWith(StoredTensors.BLOCKS)
        ? tensor.substring(0, tensor.length() - StoredTensors.BLOCKS.length())
        : tensor;
    experts.forEach((expert, list) -> {
      double[][] rows = list.toArray(double[][]::new);
      List<OnlineProducts.Block> blocks = List.of();
      if (use != null) {
        boolean output = use.side() == Side.OUTPUT;
        // Rows are counted through all experts, columns within each.
        blocks = blocks(reader, use.key(), output ? expert * rows.length : 0, output ? rows.length : rows[0].length);
      }
      Side side = use == null ? Side.OUTPUT : use.side();
      matrices.put(new OnlineProducts.Key(name, expert), new OnlineProducts.Transformed(rows, side, blocks));
    });
  }

  private static List<OnlineProducts.Block> blocks(UnitFileReader reader, String key, int from, int channels) {
    List<OnlineProducts.Block> blocks = new ArrayList<>();
    int channel = 0;
    while (channel < channels) {
      StoredTransform transform = reader.transform(key, from + channel);
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
