package io.cafeq.engine.budget;

import io.cafeq.engine.budget.Allocation.Cluster;
import io.cafeq.engine.budget.Allocation.Part;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;

/**
 * Measures and chooses. Plain errors are measured on a sample of each tensor; the gains of transforms on some blocks of the first,
 * the middle and the last piece of each kind, and interpolated over those between.
 */
final class BudgetPlanner {
  private final Measurements measurements;
  private final double target;
  private final Map<PlannedTensor, PlainErrors> plain = new LinkedHashMap<>();
  private final Map<Piece.Kind, List<Piece>> kinds = new LinkedHashMap<>();
  private final Map<Probed, Gains> probes = new LinkedHashMap<>();

  private record Probed(Piece piece, BlockDiagonal spec) {}

  /** @param target all stored bits a weight */
  BudgetPlanner(Measurements measurements, double target) {
    this.measurements = measurements;
    this.target = target;
  }

  /** @param clusters for each the divisions of its tensors into pieces that are possible */
  Allocation<Choice> choose(List<List<List<Piece>>> clusters) {
    List<Piece> pieces = clusters.stream().flatMap(List::stream).flatMap(List::stream).distinct().toList();
    measurePlain(pieces);
    pieces.forEach(piece -> kinds.computeIfAbsent(piece.kind(), key -> new ArrayList<>()).add(piece));
    probe();
    List<Cluster<Choice>> priced = clusters.stream()
        .map(divisions -> new Cluster<>(divisions.stream()
            .map(division -> division.stream().map(piece -> new Part<>(offers(piece))).toList())
            .toList()))
        .toList();
    long weights = clusters.stream()
        .flatMap(divisions -> divisions.getFirst().stream())
        .mapToLong(piece -> piece.matrix().weights())
        .sum();
    long budget = (long) Math.floor(target * weights);
    long least = Allocation.leastBits(priced);
    if (least > budget) {
      throw new EngineException(
          FailureKind.USAGE,
          "target-bpw %s: the least that is possible is %.4f bits a weight".formatted(target, Math.ceil(1e4 * least / weights) / 1e4),
          "Ask for at least that, or leave more to choose: bits, group, scales and block can be auto.");
    }
    return Allocation.within(priced, budget);
  }

  private void measurePlain(List<Piece> pieces) {
    Map<PlannedTensor, Freedom> tensors = new LinkedHashMap<>();
    pieces.forEach(piece -> piece.matrix().tensors().forEach(tensor -> tensors.putIfAbsent(tensor, piece.freedom())));
    List<Measurements.Task<PlainErrors>> tasks = new ArrayList<>();
    tensors.forEach((tensor, freedom) -> tasks.add((lane, reader) -> {
      Matrix matrix = new Matrix(List.of(tensor));
      return PlainErrors.measure(
          matrix, candidates(freedom, matrix.columns()).plain(), freedom.seed(), lane.encoder(), reader);
    }));
    List<PlainErrors> errors = measurements.all(tasks);
    int i = 0;
    for (PlannedTensor tensor : tensors.keySet()) {
      plain.put(tensor, errors.get(i++));
    }
  }

  private void probe() {
    List<Probed> wanted = new ArrayList<>();
    for (List<Piece> pieces : kinds.values()) {
      for (int index : sampled(pieces.size())) {
        TransformCandidates.of(pieces.get(index)).forEach(spec -> wanted.add(new Probed(pieces.get(index), spec)));
      }
    }
    List<Gains> gains = measurements.all(wanted.stream().<Measurements.Task<Gains>>map(probed -> (lane, reader) -> {
      Piece piece = probed.piece();
      return new TransformProbe(lane, reader, measurements.stop()).measure(
          piece.matrix(), piece.freedom(), probed.spec(), candidates(piece.freedom(), piece.matrix().columns()));
    }).toList());
    for (int i = 0; i < gains.size(); i++) {
      probes.put(wanted.get(i), gains.get(i));
    }
  }

  /** Which of that many pieces of a kind are looked at, ascending. */
  private static List<Integer> sampled(int count) {
    return new TreeSet<>(List.of(0, count / 2, count - 1)).stream().toList();
  }

  private List<Offer<Choice>> offers(Piece piece) {
    List<Offers.Measured> measured = TransformCandidates.of(piece).stream()
        .map(spec -> new Offers.Measured(spec, gains(piece, spec)))
        .toList();
    return Offers.of(
        piece,
        piece.matrix().tensors().stream().map(plain::get).toList(),
        measured,
        candidates(piece.freedom(), piece.matrix().columns()));
  }

  private Gains gains(Piece piece, BlockDiagonal spec) {
    List<Piece> alike = Objects.requireNonNull(kinds.get(piece.kind()));
    int position = alike.indexOf(piece);
    List<Integer> sampled = sampled(alike.size());
    int above = 0;
    while (sampled.get(above) < position) {
      above++;
    }
    Gains end = probed(alike.get(sampled.get(above)), spec);
    if (above == 0) {
      return end;
    }
    int from = sampled.get(above - 1);
    Gains start = probed(alike.get(from), spec);
    return start.towards(end, (double) (position - from) / (sampled.get(above) - from));
  }

  private Gains probed(Piece piece, BlockDiagonal spec) {
    return Objects.requireNonNull(probes.get(new Probed(piece, spec)));
  }

  private GridCandidates candidates(Freedom freedom, int columns) {
    return new GridCandidates(freedom, columns, target);
  }
}
