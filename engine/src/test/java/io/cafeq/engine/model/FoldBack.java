package io.cafeq.engine.model;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.engine.checkpoint.Checkpoint;
import java.nio.file.Path;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * Compares a result as it runs, codes with transforms undone online, with the dense checkpoint that
 * was exported from it.
 *
 * @param distance as {@link Trace#distance}
 * @param online matrices that were reached through codes
 * @param transformed those of them that have an online transform
 * @param coupled those of them that are a factor of a pair, at least in part
 * @param kept tensors of the matrices that the result did not quantize
 */
public record FoldBack(
    double distance, int online, int transformed, int coupled, SortedSet<String> kept) {
  /** Norms, biases, embeddings and routers are the export's in both. */
  public static FoldBack compare(Path result, Path export, int... tokens) {
    JsonNode config;
    try (Checkpoint checkpoint = Checkpoint.open(export)) {
      config = checkpoint.config().json();
    }
    Model dense = Model.of(config, StoredTensors.read(export));
    Map<OnlineProducts.Key, OnlineProducts.Transformed> matrices = ResultMatrices.read(result);
    Model online =
        Model.of(
            config, dense.weights(), new OnlineProducts(matrices, Products.dense(dense.weights())));
    SortedSet<String> kept = new TreeSet<>();
    int transformed = 0;
    int coupled = 0;
    int used = 0;
    for (MatrixUse use : MatrixUses.of(dense, tokens).all()) {
      OnlineProducts.Transformed matrix = matrices.get(OnlineProducts.Key.of(use));
      if (matrix == null) {
        kept.add(use.tensor());
      } else {
        used++;
        transformed += matrix.isTransformed() ? 1 : 0;
        coupled += matrix.isCoupled() ? 1 : 0;
      }
    }
    double distance =
        ForwardPass.of(online).run(tokens).distance(ForwardPass.of(dense).run(tokens));
    return new FoldBack(distance, used, transformed, coupled, kept);
  }
}
