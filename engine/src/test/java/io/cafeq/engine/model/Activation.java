package io.cafeq.engine.model;

import java.util.Locale;

/** Functions between the layers of a feed-forward part. */
enum Activation {
  SILU {
    @Override
    double of(double x) {
      return x * logistic(x);
    }
  },
  GELU_TANH {
    @Override
    double of(double x) {
      return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
    }
  },
  GELU {
    @Override
    double of(double x) {
      return 0.5 * x * (1 + errorFunction(x / Math.sqrt(2)));
    }
  };

  private static final double SERIES_END = 6;

  abstract double of(double x);

  static Activation named(String name) {
    return switch (name.toLowerCase(Locale.ROOT)) {
      case "silu", "swish" -> SILU;
      case "gelu_new", "gelu_pytorch_tanh", "gelu_fast" -> GELU_TANH;
      case "gelu" -> GELU;
      default -> throw new IllegalArgumentException("no activation is called " + name);
    };
  }

  static double logistic(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  /**
   * erf x = 2 / sqrt(pi) exp(-x^2) sum of 2^n x^(2n + 1) / (2n + 1)!!, whose terms are all of one
   * sign.
   */
  static double errorFunction(double x) {
    if (Math.abs(x) > SERIES_END) {
      return Math.signum(x);
    }
    double term = x;
    double sum = x;
    for (int n = 1; Math.abs(term) > Math.ulp(sum) / 4; n++) {
      term *= 2 * x * x / (2 * n + 1);
      sum += term;
    }
    return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
  }
}
