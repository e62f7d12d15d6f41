package io.cafeq.engine.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * How the experts of a token are chosen from the router's scores. Routers are never quantized, so
 * none goes online.
 */
final class Routing {
  private Routing() {}

  /** An expert and its weight in the sum. */
  record Choice(int expert, double weight) {}

  /**
   * W x + b with the tensors {@code module.weight} [experts, in] and {@code module.bias}, if there
   * is one.
   */
  static double[] scores(Model model, String module, double[] x) {
    DoubleTensor weight = model.weights().get(module + ".weight");
    double[] scores =
        Products.dense(model.weights()).apply(new MatrixUse(module + ".weight", 0, false), x);
    if (scores.length != weight.rows()) {
      throw new IllegalStateException("a router has a score for each expert");
    }
    model.weights().find(module + ".bias").ifPresent(bias -> Model.add(scores, bias.values()));
    return scores;
  }

  /** The indices of the {@code count} largest, largest first; of equals the first. */
  static List<Integer> largest(double[] scores, int count) {
    return IntStream.range(0, scores.length)
        .boxed()
        .sorted(Comparator.comparingDouble((Integer i) -> -scores[i]).thenComparing(i -> i))
        .limit(count)
        .toList();
  }

  static double[] softmax(double[] scores) {
    double largest = Arrays.stream(scores).max().orElseThrow();
    double[] exponentials = Arrays.stream(scores).map(score -> Math.exp(score - largest)).toArray();
    return Model.scaled(exponentials, 1 / Arrays.stream(exponentials).sum());
  }

  /** Softmax over all, then the largest; their weights add to one if {@code normed}. */
  static List<Choice> softmaxThenLargest(double[] scores, int count, boolean normed) {
    double[] shares = softmax(scores);
    List<Integer> chosen = largest(shares, count);
    double sum = normed ? chosen.stream().mapToDouble(i -> shares[i]).sum() : 1;
    return chosen.stream().map(i -> new Choice(i, shares[i] / sum)).toList();
  }

  /** The largest, then softmax over them. */
  static List<Choice> largestThenSoftmax(double[] scores, int count) {
    List<Integer> chosen = largest(scores, count);
    double[] shares = softmax(chosen.stream().mapToDouble(i -> scores[i]).toArray());
    return IntStream.range(0, count).mapToObj(i -> new Choice(chosen.get(i), shares[i])).toList();
  }

  /** The largest, each weighted by its own logistic function. */
  static List<Choice> largestThenLogistic(double[] scores, int count) {
    return largest(scores, count).stream()
        .map(i -> new Choice(i, Activation.logistic(scores[i])))
        .toList();
  }

  /** DeepSeek V2, where it chooses among all experts. */
  static List<Choice> greedy(Settings settings, double[] scores) {
    if (!settings.text("topk_method").orElse("greedy").equals("greedy")) {
      throw new IllegalArgumentException(
          "no choice of experts is written for " + settings.text("topk_method"));
    }
    double factor = settings.number("routed_scaling_factor", 1);
    return softmaxThenLargest(
            scores, settings.integer("num_experts_per_tok"), settings.flag("norm_topk_prob", false))
        .stream()
        .map(choice -> new Choice(choice.expert(), choice.weight() * factor))
        .toList();
  }

  /**
   * DeepSeek V3: logistic scores; the correction takes part in the choice alone. Experts are chosen
   * within the best groups, and a group is as good as its two best experts together.
   */
  static List<Choice> grouped(Settings settings, double[] scores, double[] correction) {
    double[] shares = Arrays.stream(scores).map(Activation::logistic).toArray();
    double[] corrected = shares.clone();
    Model.add(corrected, correction);
    int groups = settings.integer("n_group", 1);
    int size = scores.length / groups;
    double[] groupScores = new double[groups];
    for (int group = 0; group < groups; group++) {
      double[] members = Arrays.copyOfRange(corrected, group * size, (group + 1) * size);
      groupScores[group] = largest(members, 2).stream().mapToDouble(i -> members[i]).sum();
    }
    List<Integer> open = largest(groupScores, settings.integer("topk_group", groups));
    double[] allowed = new double[scores.length];
    for (int expert = 0; expert < scores.length; expert++) {
      allowed[expert] = open.contains(expert / size) ? corrected[expert] : Double.NEGATIVE_INFINITY;
    }
    List<Integer> chosen = largest(allowed, settings.integer("num_experts_per_tok"));
    double sum =
        settings.flag("norm_topk_prob", true)
            ? chosen.stream().mapToDouble(i -> shares[i]).sum() + 1e-20
            : 1;
    double factor = settings.number("routed_scaling_factor", 1);
    List<Choice> choices = new ArrayList<>();
    chosen.forEach(i -> choices.add(new Choice(i, shares[i] / sum * factor)));
    return choices;
  }
}
