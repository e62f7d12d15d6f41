package io.cafeq.engine.model;

import io.cafeq.config.Side;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * Products as they run from a result: by what is stored, with the transforms undone beside it.
 * Output side: y = P (Q x) for the rows of each block; input side: y = Q^T (P^T x), where Q^T is
 * what lies in the file.
 */
final class OnlineProducts implements Products {
  /** P of k channels from {@code first} on: rows on the output side, columns on the input side. */
  record Block(int first, double[][] inverse) {}

  /**
   * Rows that are coded alike.
   *
   * @param blocks of all channels of the side, or none
   * @param coupled whether they are one factor of a pair
   * @param inverses 1/s of the input channels that x is multiplied with; empty without scales
   */
  record Section(
      int firstRow,
      int rows,
      Side side,
      List<Block> blocks,
      boolean coupled,
      List<Double> inverses) {
    Section {
      blocks = List.copyOf(blocks);
      inverses = List.copyOf(inverses);
    }

    private double[] scaled(double[] x) {
      double[] scaled = x.clone();
      for (int i = 0; i < inverses.size(); i++) {
        scaled[i] *= inverses.get(i);
      }
      return scaled;
    }

    private double[] apply(double[][] stored, double[] x) {
      double[][] own = Arrays.copyOfRange(stored, firstRow, firstRow + rows);
      return switch (side) {
        case OUTPUT -> undone(RandomMap.product(own, scaled(x)), firstRow, false);
        case INPUT -> RandomMap.product(own, undone(scaled(x), 0, true));
      };
    }

    private double[] undone(double[] channels, int first, boolean transposed) {
      double[] result = channels.clone();
      for (Block block : blocks) {
        double[][] p = transposed ? RandomMap.transposed(block.inverse()) : block.inverse();
        int from = block.first() - first;
        double[] part = Arrays.copyOfRange(channels, from, from + p.length);
        System.arraycopy(RandomMap.product(p, part), 0, result, from, p.length);
      }
      return result;
    }
  }

  /**
   * @param rows what is stored in place of the weights, [out, in]
   * @param sections in order, which cover all rows
   */
  record Transformed(double[][] rows, List<Section> sections) {
    Transformed {
      sections = List.copyOf(sections);
    }

    boolean isTransformed() {
      return sections.stream().anyMatch(section -> !section.blocks().isEmpty());
    }

    boolean isCoupled() {
      return sections.stream().anyMatch(Section::coupled);
    }

    double[] apply(double[] x) {
      double[] y = new double[rows.length];
      int done = 0;
      for (Section section : sections) {
        System.arraycopy(section.apply(rows, x), 0, y, section.firstRow(), section.rows());
        done += section.rows();
      }
      if (done != rows.length) {
        throw new IllegalStateException(
            "sections of " + done + " rows do not cover " + rows.length);
      }
      return y;
    }
  }

  /** A matrix, however it was stored before. */
  record Key(String tensor, int expert) {
    static Key of(MatrixUse use) {
      return new Key(use.tensor(), use.expert());
    }
  }

  private final Map<Key, Transformed> matrices;
  private final Products others;

  /**
   * @param others multiplies by the matrices that are not in the map
   */
  OnlineProducts(Map<Key, Transformed> matrices, Products others) {
    this.matrices = Map.copyOf(matrices);
    this.others = others;
  }

  @Override
  public double[] apply(MatrixUse matrix, double[] x) {
    Transformed transformed = matrices.get(Key.of(matrix));
    return transformed == null ? others.apply(matrix, x) : transformed.apply(x);
  }

  /**
   * V = M W_b for blocks of k channels and a smaller last one, M random; all matrices of one width
   * share those of x.
   */
  static Transformed transform(double[][] weights, Side side, int k, long seed) {
    double[][] stored = side == Side.OUTPUT ? weights : RandomMap.transposed(weights);
    double[][] result = stored.clone();
    List<Block> blocks = new ArrayList<>();
    for (int first = 0; first < stored.length; first += k) {
      RandomMap map = RandomMap.of(Math.min(k, stored.length - first), seed + first);
      double[][] part = Arrays.copyOfRange(stored, first, first + map.size());
      double[][] columns = RandomMap.transposed(part);
      for (int i = 0; i < columns.length; i++) {
        columns[i] = RandomMap.product(map.forward(), columns[i]);
      }
      System.arraycopy(RandomMap.transposed(columns), 0, result, first, map.size());
      blocks.add(new Block(first, map.inverse()));
    }
    double[][] rows = side == Side.OUTPUT ? result : RandomMap.transposed(result);
    return new Transformed(
        rows, List.of(new Section(0, rows.length, side, blocks, false, List.of())));
  }
}
