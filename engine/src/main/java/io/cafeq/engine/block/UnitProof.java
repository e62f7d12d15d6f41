package io.cafeq.engine.block;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.receipt.UnitFigures;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Proves one unit's file from what is on disk: structure and checksums, every row decoded, and with
 * the source at hand the errors measured again and copied bytes compared. Used before a file gets
 * its final name and whenever a result is verified. Takes as much native memory as {@link
 * UnitFileReader}, and about 17 MiB (twice one block where that is more).
 */
public final class UnitProof {
  /**
   * Learners measure in float with BLAS, the proof decodes in fixed order: they agree much closer
   * than this.
   */
  static final double TOLERANCE = 1e-3;

  /** What there is to compare with. */
  public sealed interface Against {
    /** Nothing: structure, checksums and decoding only. */
    record Nothing() implements Against {}

    /**
     * @param hashes whether the tensors' SHA-256 is computed again, which reads quantized tensors
     *     twice
     */
    record Source(Checkpoint checkpoint, boolean hashes) implements Against {}
  }

  /**
   * @param weights quantized weights that were decoded
   * @param squaredError sum of (effective - original)^2, measured now; 0 without a source
   * @param squaredNorm sum of original^2, measured now; 0 without a source
   * @param problems all that were found, of kind RESULT unless the source cannot be read; empty for
   *     a sound file
   */
  public record Outcome(
      long weights, double squaredError, double squaredNorm, List<EngineException> problems) {
    public Outcome {
      problems = List.copyOf(problems);
    }

    /** Throws the first problem. */
    public void orThrow() {
      if (!problems.isEmpty()) {
        EngineException first = problems.getFirst();
        problems.stream().skip(1).filter(problem -> problem != first).forEach(first::addSuppressed);
        throw first;
      }
    }
  }

  private final UnitFileReader reader;
  private final Against against;
  private final StopFlag stop;
  private final Damage damage;
  private final List<EngineException> problems = new ArrayList<>();
  private long weights;
  private double squaredError;
  private double squaredNorm;

  private UnitProof(UnitFileReader reader, Against against, StopFlag stop) {
    this.reader = reader;
    this.against = against;
    this.stop = stop;
    this.damage = new Damage(reader.file());
  }

  /** Finds all problems; throws only where it is stopped. */
  public static Outcome check(Path file, Against against, StopFlag stop) {
    try (UnitFileReader reader = UnitFileReader.open(file)) {
      return check(reader, against, stop);
    } catch (EngineException e) {
      return new Outcome(0, 0, 0, List.of(rethrowStop(e)));
    }
  }

  static Outcome check(UnitFileReader reader, Against against, StopFlag stop) {
    UnitProof proof = new UnitProof(reader, against, stop);
    for (TensorHeader tensor : reader.header().tensors()) {
      try {
        stop.check();
        proof.tensor(tensor);
      } catch (EngineException e) {
        proof.problems.add(rethrowStop(e));
      }
    }
    if (proof.problems.isEmpty() && against instanceof Against.Source source) {
      proof.pairs(source.checkpoint());
    }
    if (proof.problems.isEmpty()) {
      proof.figures();
    }
    return new Outcome(proof.weights, proof.squaredError, proof.squaredNorm, proof.problems);
  }

  static EngineException rethrowStop(EngineException e) {
    if (e.kind() == FailureKind.STOPPED) {
      throw e;
    }
    return e;
  }

  private void tensor(TensorHeader tensor) {
    try (Arena arena = Arena.ofConfined();
        SourceTensor source = source(tensor, arena)) {
      if (source != null && against instanceof Against.Source found && found.hashes()) {
        compareHash(tensor, source);
      }
      switch (tensor.content()) {
        case TensorHeader.Content.Kept kept -> raw(tensor, source);
        case TensorHeader.Content.Folded folded -> raw(tensor, null);
        case TensorHeader.Content.Consumed consumed -> {}
        case TensorHeader.Content.Quantized quantized -> slabs(tensor, source, arena);
      }
    }
  }

  private @Nullable SourceTensor source(TensorHeader tensor, Arena arena) {
    return switch (against) {
      case Against.Nothing nothing -> null;
      case Against.Source(Checkpoint checkpoint, boolean hashes) ->
          SourceTensor.find(checkpoint, tensor, damage, arena);
    };
  }

  private void compareHash(TensorHeader tensor, SourceTensor source) {
    String recorded = reader.sourceHashes().get(tensor.name());
    String now = source.sha256(stop);
    if (!now.equals(recorded)) {
      problems.add(
          damage.disagrees(
              "tensor "
                  + tensor.name()
                  + " was made from a source with SHA-256 "
                  + recorded
                  + ", the checkpoint has "
                  + now));
    }
  }

  private void raw(TensorHeader tensor, @Nullable SourceTensor source) {
    reader.forEachRaw(
        tensor.name(),
        row -> {
          stop.check();
          if (source != null && !source.holds(row.byteOffset(), row.bytes())) {
            throw damage.of(
                "tensor "
                    + tensor.name()
                    + ": its bytes from "
                    + row.byteOffset()
                    + " on differ from the source");
          }
        });
  }

  private void slabs(TensorHeader tensor, @Nullable SourceTensor source, Arena arena) {
    SlabErrors errors = new SlabErrors(tensor, damage);
    new WeightPieces(reader, arena)
        .forEach(
            tensor.name(),
            (channel, effective, slab) -> {
              stop.check();
              // Of a factor of a pair only the product is that of the source.
              boolean coupled = tensor.sectionOf(channel).orElseThrow().coding().coupled();
              if (coupled && (slab.slab().squaredError() != 0 || slab.slab().squaredNorm() != 0)) {
                throw damage.of(
                    "tensor "
                        + tensor.name()
                        + ", output channels from "
                        + channel
                        + " on: rows of a pair have no error of their own, the file says "
                        + slab.slab().squaredError());
              }
              errors.add(
                  channel,
                  effective,
                  slab,
                  coupled || source == null ? null : source.rows(channel, effective.rows()));
              weights += effective.elements();
            });
    errors.endOfSlab();
    squaredError += errors.squaredError();
    squaredNorm += errors.squaredNorm();
  }

  private void pairs(Checkpoint checkpoint) {
    for (Coupling coupling : reader.header().couplings()) {
      try {
        PairProof.Outcome outcome =
            new PairProof(reader, checkpoint, stop, coupling).check(reader.figures());
        squaredError += outcome.squaredError();
        squaredNorm += outcome.squaredNorm();
      } catch (EngineException e) {
        problems.add(rethrowStop(e));
      }
    }
    for (TensorHeader tensor : reader.header().tensors()) {
      if (tensor.content() instanceof TensorHeader.Content.Folded) {
        FoldedBias.read(reader, checkpoint, tensor.name())
            .changedOutside(reader.header().couplings())
            .ifPresent(
                entry ->
                    problems.add(
                        damage.of(
                            "tensor "
                                + tensor.name()
                                + ", entry "
                                + entry
                                + ": belongs to no pair, but differs from the source")));
      }
    }
  }

  /** Every coupling has figures, and nothing else has; with the weights that are there. */
  private void pairFigures(UnitFigures figures) {
    Map<List<String>, Long> said = new HashMap<>();
    figures.pairs().forEach(pair -> said.put(List.of(pair.left(), pair.right()), pair.weights()));
    Map<List<String>, Long> found = new HashMap<>();
    for (Coupling coupling : reader.header().couplings()) {
      found.put(List.of(coupling.left(), coupling.right()), coupledWeights(coupling));
    }
    if (!said.equals(found) || figures.pairs().size() != reader.header().couplings().size()) {
      problems.add(
          damage.of(
              "its figures speak of the pairs and weights " + said + ", its rows have " + found));
    }
  }

  private long coupledWeights(Coupling coupling) {
    TensorHeader left = reader.header().tensor(coupling.left());
    TensorHeader right = reader.header().tensor(coupling.right());
    long size = coupling.heads().getFirst().size();
    long rightRows =
        switch (coupling.kind()) {
          case VALUE_OUTPUT -> right.allRows();
          case QUERY_KEY ->
              size * coupling.heads().stream().mapToLong(head -> head.right().size()).sum();
        };
    return coupling.heads().size() * size * left.columns() + rightRows * right.columns();
  }

  private void figures() {
    UnitFigures figures = reader.figures();
    if (figures == null) {
      if (weights > 0) {
        problems.add(damage.of("has quantized tensors and no figures of their error"));
      }
      return;
    }
    pairFigures(figures);
    if (figures.weights() != weights) {
      problems.add(
          damage.of(
              "its figures speak of " + figures.weights() + " weights, its rows have " + weights));
    }
    if (against instanceof Against.Source) {
      if (!SlabErrors.agree(figures.result().squaredError(), squaredError, squaredNorm)) {
        problems.add(
            damage.disagrees(
                "its figures have the squared error "
                    + figures.result().squaredError()
                    + ", measured against the source it is "
                    + squaredError));
      }
      if (!SlabErrors.agree(figures.squaredNorm(), squaredNorm, squaredNorm)) {
        problems.add(
            damage.disagrees(
                "its figures have the squared norm "
                    + figures.squaredNorm()
                    + ", measured on the source it is "
                    + squaredNorm));
      }
    }
  }
}
