package io.cafeq.engine.transform;

/**
 * lambda ||M M^T - I||_F / sqrt(h), the paper's pull towards rotations (appendix A), and its
 * gradient.
 */
public record OrthogonalityPenalty(double weight) {
  public double value(double[] m, int h) {
    return weight == 0 ? 0 : weight * norm(excess(m, h)) / Math.sqrt(h);
  }

  /**
   * Adds the gradient 2 lambda (M M^T - I) M / (||M M^T - I||_F sqrt(h)); 0 at rotations, where the
   * norm has a corner.
   */
  public void addGradient(double[] m, int h, double[] gradient) {
    if (weight == 0) {
      return;
    }
    double[] excess = excess(m, h);
    double norm = norm(excess);
    if (norm == 0) {
      return;
    }
    double[] product = SquareMatrices.multiply(excess, m, h);
    double factor = 2 * weight / (norm * Math.sqrt(h));
    for (int i = 0; i < gradient.length; i++) {
      gradient[i] += factor * product[i];
    }
  }

  private static double[] excess(double[] m, int h) {
    double[] excess = SquareMatrices.multiply(m, SquareMatrices.transpose(m, h), h);
    for (int i = 0; i < h; i++) {
      excess[i * h + i] -= 1;
    }
    return excess;
  }

  private static double norm(double[] a) {
    double sum = 0;
    for (double x : a) {
      sum += x * x;
    }
    return Math.sqrt(sum);
  }
}
