package io.cafeq.engine.budget;

import io.cafeq.config.Recipe;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.plan.Cluster;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Errors of all candidates. Those of round-to-nearest (RTN) are measured on a sample of each
 * matrix, gains of transforms and pairs on some blocks of the first two, the middle and the last
 * piece of each kind, and interpolated over those between.
 */
final class PredictedErrors {
  private final Recipe recipe;
  private final Map<Piece, PlainErrors> plain;
  private final SampledGains<Probed> transforms;
  private final SampledGains<Cluster.Coupled> pairs;

  private record Probed(Piece piece, BlockDiagonal spec) {}

  private PredictedErrors(
      Recipe recipe,
      Map<Piece, PlainErrors> plain,
      SampledGains<Probed> transforms,
      SampledGains<Cluster.Coupled> pairs) {
    this.recipe = recipe;
    this.plain = plain;
    this.transforms = transforms;
    this.pairs = pairs;
  }

  static PredictedErrors measure(
      List<Cluster> clusters, Recipe recipe, PieceMeasurer measurements) {
    Map<Piece, PlainErrors.Grids> grids = new LinkedHashMap<>();
    // pieces by the thousand have few lists of grids between them
    Map<List<GridSpec>, PlainErrors.Grids> lists = new HashMap<>();
    List<Piece> transformed = new ArrayList<>();
    List<Cluster.Coupled> coupled = new ArrayList<>();
    for (Cluster cluster : clusters) {
      switch (cluster) {
        case Cluster.Matrices matrices -> {
          for (Piece piece : Pieces.apart(matrices)) {
            List<GridSpec> plain =
                new GridCandidates(piece.settings(), recipe, piece.columns()).plain();
            grids.put(piece, lists.computeIfAbsent(plain, PlainErrors.Grids::of));
            transformed.add(piece);
          }
          Pieces.together(matrices).ifPresent(transformed::add);
        }
        case Cluster.Coupled pair -> {
          grids.put(
              Pieces.left(pair),
              lists.computeIfAbsent(
                  PairGrids.left(pair, recipe).references(), PlainErrors.Grids::of));
          grids.put(
              Pieces.right(pair),
              lists.computeIfAbsent(
                  PairGrids.right(pair, recipe).references(), PlainErrors.Grids::of));
          coupled.add(pair);
        }
      }
    }
    return new PredictedErrors(
        recipe,
        plain(grids, recipe, measurements),
        transforms(transformed, recipe, measurements),
        SampledGains.measure(
            coupled,
            Pieces::kind,
            measurements,
            PairProbe::memoryNeeded,
            (pair, learner, lane, reader) ->
                new PairProbe(recipe, learner, lane, reader, measurements.stop()).measure(pair)));
  }

  private static Map<Piece, PlainErrors> plain(
      Map<Piece, PlainErrors.Grids> grids, Recipe recipe, PieceMeasurer measurements) {
    List<Piece> pieces = List.copyOf(grids.keySet());
    List<PlainErrors> errors =
        measurements.all(
            pieces.stream()
                .map(
                    piece ->
                        new PieceMeasurer.Task<>(
                            PlainErrors.memoryNeeded(piece, measurements.inputs()),
                            (learner, lane, reader) ->
                                PlainErrors.measure(
                                    piece,
                                    Objects.requireNonNull(grids.get(piece)),
                                    recipe,
                                    measurements.inputs(),
                                    lane,
                                    reader)))
                .toList());
    Map<Piece, PlainErrors> plain = new LinkedHashMap<>();
    for (int i = 0; i < errors.size(); i++) {
      plain.put(pieces.get(i), errors.get(i));
    }
    return plain;
  }

  private static SampledGains<Probed> transforms(
      List<Piece> pieces, Recipe recipe, PieceMeasurer measurements) {
    List<Probed> choosing =
        pieces.stream()
            .flatMap(
                piece ->
                    TransformCandidates.of(piece, recipe).stream()
                        .map(spec -> new Probed(piece, spec)))
            .toList();
    return SampledGains.measure(
        choosing,
        probed -> Map.entry(probed.piece().kind(), probed.spec()),
        measurements,
        probed -> TransformProbe.memoryNeeded(probed.piece(), probed.spec(), measurements.inputs()),
        (probed, learner, lane, reader) ->
            new TransformProbe(
                    recipe, measurements.inputs(), learner, lane, reader, measurements.stop())
                .measure(probed.piece(), probed.spec()));
  }

  /** All that a piece may choose; nothing for a stack that cannot have a transform. */
  List<Offer<Choice>> offers(Piece piece) {
    Map<BlockDiagonal, Gains> gains = new LinkedHashMap<>();
    for (BlockDiagonal spec : TransformCandidates.of(piece, recipe)) {
      gains.put(spec, transforms.of(new Probed(piece, spec)));
    }
    // a stack is no key: its errors are those of its members
    List<PlainErrors> members =
        piece.isStack()
            ? Pieces.members(piece).stream().map(this::plain).toList()
            : List.of(plain(piece));
    return Offers.of(
        piece, members, gains, new GridCandidates(piece.settings(), recipe, piece.columns()));
  }

  PlainErrors plain(Piece piece) {
    return Objects.requireNonNull(plain.get(piece));
  }

  Gains gains(Cluster.Coupled pair) {
    return pairs.of(pair);
  }
}
