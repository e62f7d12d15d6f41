package io.cafeq.engine.forward;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.compute.Backends;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.model.DoubleTensor;
import io.cafeq.engine.model.Miniature;
import io.cafeq.engine.model.Settings;
import io.cafeq.engine.tokens.Windows;
import io.cafeq.engine.weights.CheckpointWeights;
import io.cafeq.engine.weights.SpilledStates;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Logits of all tokens, by the engine and in double. */
public final class Logits {
  private Logits() {}

  public static List<double[]> of(Path folder, List<int[]> windows) {
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        CheckpointWeights weights = CheckpointWeights.of(checkpoint);
        ComputeLane lane = Backends.open("auto").openLane();
        OutputHead head =
            OutputHead.open(weights, lane.products(), Windows.longest(windows), new StopFlag());
        ForwardPass pass =
            ForwardPass.open(
                weights,
                lane.products(),
                windows,
                SmallRun.PLENTY,
                SpilledStates.in(folder),
                new StopFlag())) {
      pass.run();
      List<double[]> logits = new ArrayList<>();
      pass.end(
          (window, states) -> {
            int before = logits.size();
            for (int token = 0; token < states.rows(); token++) {
              logits.add(new double[head.vocabulary()]);
            }
            head.forEachSlab(
                states,
                (first, slab) -> {
                  List<double[]> rows = Judge.rows(slab);
                  for (int token = 0; token < rows.size(); token++) {
                    System.arraycopy(
                        rows.get(token), 0, logits.get(before + token), first, slab.columns());
                  }
                });
          });
      return logits;
    }
  }

  /** Tied where there is no head. */
  public static List<double[]> inDouble(Miniature miniature, List<double[]> states) {
    DoubleTensor head =
        miniature
            .weights()
            .find("lm_head.weight")
            .orElseGet(
                () ->
                    miniature
                        .weights()
                        .get(
                            miniature.weights().prefixOf("embed_tokens.weight")
                                + "embed_tokens.weight"));
    double cap = Settings.of(miniature.config()).number("final_logit_softcapping", 0);
    List<double[]> logits = new ArrayList<>();
    for (double[] state : states) {
      double[] row = new double[head.rows()];
      for (int entry = 0; entry < row.length; entry++) {
        for (int i = 0; i < state.length; i++) {
          row[entry] += state[i] * head.at(0, entry, i);
        }
        row[entry] = cap == 0 ? row[entry] : cap * Math.tanh(row[entry] / cap);
      }
      logits.add(row);
    }
    return logits;
  }
}
