package io.cafeq.engine.forward;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.model.Miniature;
import io.cafeq.engine.model.Model;
import io.cafeq.engine.model.Products;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What the forward pass in double says of windows of tokens.
 *
 * @param states [all tokens, hidden] after the final norm
 * @param inputs what each matrix was multiplied with, in the order of the tokens
 */
public record Judge(List<double[]> states, SortedMap<String, List<double[]>> inputs) {
  public static Judge of(Miniature miniature, ObjectNode config, List<int[]> windows) {
    SortedMap<String, List<double[]>> inputs = new TreeMap<>();
    Products dense = Products.dense(miniature.weights());
    Model model =
        Model.of(
            config,
            miniature.weights(),
            (matrix, x) -> {
              inputs.computeIfAbsent(matrix.tensor(), name -> new ArrayList<>()).add(x.clone());
              return dense.apply(matrix, x);
            });
    List<double[]> states = new ArrayList<>();
    for (int[] window : windows) {
      states.addAll(List.of(io.cafeq.engine.model.ForwardPass.of(model).run(window).hidden()));
    }
    return new Judge(states, inputs);
  }

  /** A row of a matrix for each row. */
  public static List<double[]> rows(FloatMatrix matrix) {
    List<double[]> rows = new ArrayList<>();
    for (int i = 0; i < matrix.rows(); i++) {
      double[] row = new double[matrix.columns()];
      for (int j = 0; j < row.length; j++) {
        row[j] = matrix.get(i, j);
      }
      rows.add(row);
    }
    return rows;
  }

  /**
   * The largest difference beside the largest number; infinite where shapes differ or a number is
   * none.
   */
  public static double distance(List<double[]> found, List<double[]> expected) {
    if (found.size() != expected.size()) {
      return Double.POSITIVE_INFINITY;
    }
    double largest = 0;
    double difference = 0;
    for (int i = 0; i < found.size(); i++) {
      if (found.get(i).length != expected.get(i).length) {
        return Double.POSITIVE_INFINITY;
      }
      for (int j = 0; j < found.get(i).length; j++) {
        double gap = Math.abs(found.get(i)[j] - expected.get(i)[j]);
        difference = Double.isNaN(gap) ? Double.POSITIVE_INFINITY : Math.max(difference, gap);
        largest = Math.max(largest, Math.abs(expected.get(i)[j]));
      }
    }
    return difference / largest;
  }
}
