package io.cafeq.engine.quantize;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.block.UnitFileReader;
import io.cafeq.engine.block.UnitFileWriter;
import io.cafeq.engine.block.UnitHeader;
import io.cafeq.engine.block.UnitProof;
import io.cafeq.engine.block.UnitRow;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.model.Miniature;
import io.cafeq.engine.model.QuantizedFolder;
import io.cafeq.engine.receipt.ErrorFigures;
import io.cafeq.engine.receipt.PairFigures;
import io.cafeq.engine.receipt.UnitFigures;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Files of pairs that were changed by somebody who makes the checksums again: the source gives them
 * away.
 */
class TamperedPairTest {
  @TempDir Path folder;

  private Path source = Path.of("");
  private Path unit = Path.of("");

  /** What somebody makes of the rows, and of the figures. */
  private record Change(
      String tensor,
      UnaryOperator<EncodedSlab> slabs,
      UnaryOperator<byte[]> bytes,
      UnaryOperator<UnitFigures> figures) {
    static Change codes(String tensor) {
      return new Change(tensor, TamperedPairTest::otherCodes, bytes -> bytes, figures -> figures);
    }

    static Change bytes(String tensor, UnaryOperator<byte[]> change) {
      return new Change(tensor, slab -> slab, change, figures -> figures);
    }

    static Change figures(UnaryOperator<UnitFigures> change) {
      return new Change("", slab -> slab, bytes -> bytes, change);
    }
  }

  @Test
  void valuesOutputsBiasesAndFigures() throws IOException {
    source = TinyModel.of(96, 4, 2, 24).write(folder.resolve("source"));
    make("vo");
    judged(Change.figures(figures -> figures), null);
    judged(Change.codes(TinyModel.VALUES), TinyModel.VALUES);
    judged(Change.codes(TinyModel.OUTPUTS), TinyModel.OUTPUTS);
    byte[] original = originalBias();
    judged(Change.bytes(TinyModel.VALUE_BIAS, bytes -> original), TinyModel.VALUE_BIAS);
    judged(
        Change.bytes(TinyModel.VALUE_BIAS, bytes -> new byte[bytes.length]), TinyModel.VALUE_BIAS);
    judged(
        Change.figures(figures -> pairs(figures, pair -> with(pair, pair.result() * 0.98))),
        "relative error");
    judged(Change.figures(figures -> pairs(figures, pair -> with(pair, 0))), "relative error");
    judged(
        Change.figures(
            figures ->
                new UnitFigures(
                    figures.weights(),
                    figures.squaredNorm(),
                    figures.result(),
                    null,
                    null,
                    null,
                    false,
                    List.of(),
                    "x")),
        "no figures of the pair");
    judged(
        Change.figures(
            figures ->
                new UnitFigures(
                    figures.weights(),
                    figures.squaredNorm(),
                    new ErrorFigures(figures.result().squaredError() / 2, 1),
                    null,
                    null,
                    null,
                    false,
                    figures.pairs(),
                    "x")),
        "squared error");
  }

  @Test
  void keysAndQueries() throws IOException {
    source = folder.resolve("source");
    Miniature.inFloat32("llama4", 3).write(source, Miniature.Spread.ONE);
    make("");
    Coupling coupling = coupling(Coupling.Kind.QUERY_KEY);
    judged(Change.figures(figures -> figures), null);
    judged(Change.codes(coupling.left()), coupling.left());
    judged(Change.codes(coupling.right()), coupling.right());
    judged(
        Change.figures(figures -> pairs(figures, pair -> with(pair, pair.result() * 1.02))),
        "relative error");
  }

  /** Without the source nothing is said of the products, only of what stands in the file. */
  @Test
  void withoutTheSourceOnlyTheFileIsJudged() throws IOException {
    source = TinyModel.of(96, 4, 2, 24).write(folder.resolve("source"));
    make("vo");
    Path changed = rewritten(Change.codes(TinyModel.VALUES));
    UnitProof.Outcome outcome =
        UnitProof.check(changed, new UnitProof.Against.Nothing(), new StopFlag());
    assertThat(outcome.problems()).isEmpty();
    assertThat(outcome.squaredError()).isZero();
    assertThat(outcome.squaredNorm()).isZero();
    Path without =
        rewritten(
            Change.figures(
                figures ->
                    pairs(
                        figures,
                        pair ->
                            new PairFigures(
                                pair.left(),
                                "other",
                                pair.weights(),
                                pair.squaredNorm(),
                                pair.result(),
                                null,
                                null,
                                null,
                                null,
                                null))));
    assertThat(UnitProof.check(without, new UnitProof.Against.Nothing(), new StopFlag()).problems())
        .hasSize(1);
  }

  private void make(String name) throws IOException {
    Path result = folder.resolve("result");
    QuantizedFolder.make(
        source,
        result,
        Map.of("pair-steps", "15", "steps", "3", "group", "16", "fall-back", "false"));
    try (Stream<Path> files = Files.list(result.resolve("units"))) {
      unit = files.filter(file -> isWanted(file, name)).sorted().findFirst().orElseThrow();
    }
  }

  private static boolean isWanted(Path file, String name) {
    try (UnitFileReader reader = UnitFileReader.open(file)) {
      return file.getFileName().toString().endsWith(name + ".arrow")
          && reader.header().couplings().stream()
              .anyMatch(
                  coupling -> name.equals("vo") || coupling.kind() == Coupling.Kind.QUERY_KEY);
    }
  }

  private Coupling coupling(Coupling.Kind kind) {
    try (UnitFileReader reader = UnitFileReader.open(unit)) {
      return reader.header().couplings().stream()
          .filter(each -> each.kind() == kind)
          .findFirst()
          .orElseThrow();
    }
  }

  private byte[] originalBias() {
    try (Checkpoint checkpoint = Checkpoint.open(source);
        Arena arena = Arena.ofConfined()) {
      var info = checkpoint.tensor(TinyModel.VALUE_BIAS).orElseThrow();
      MemorySegment bytes = arena.allocate(info.bytes());
      checkpoint.read(info, 0, bytes);
      return bytes.toArray(ValueLayout.JAVA_BYTE);
    }
  }

  /** Sound where {@code named} is null. */
  private void judged(Change change, @org.jspecify.annotations.Nullable String named)
      throws IOException {
    Path file = rewritten(change);
    try (Checkpoint checkpoint = Checkpoint.open(source)) {
      List<EngineException> problems =
          UnitProof.check(file, new UnitProof.Against.Source(checkpoint, true), new StopFlag())
              .problems();
      if (named == null) {
        assertThat(problems).isEmpty();
      } else {
        assertThat(problems)
            .isNotEmpty()
            .allSatisfy(e -> assertThat(e.kind()).isEqualTo(FailureKind.RESULT));
        assertThat(problems).anySatisfy(e -> assertThat(e).hasMessageContaining(named));
      }
    }
  }

  private Path rewritten(Change change) {
    Path file = folder.resolve("rewritten.arrow");
    UnitFileReader reader = UnitFileReader.open(unit);
    UnitHeader header = reader.header();
    try (reader;
        UnitFileWriter writer = UnitFileWriter.open(file, header)) {
      reader.forEach(
          row -> {
            switch (row) {
              case UnitRow.Transform(String key, var block) -> writer.writeTransform(key, block);
              case UnitRow.Scales(String key, var scales) -> writer.writeColumnScales(key, scales);
              case UnitRow.Slab(String tensor, int expert, long first, EncodedSlab slab) ->
                  writer.writeSlab(
                      tensor,
                      expert,
                      first,
                      tensor.equals(change.tensor()) ? change.slabs().apply(slab) : slab);
              case UnitRow.Raw(String tensor, long offset, MemorySegment bytes) ->
                  writer.writeRaw(
                      tensor,
                      offset,
                      tensor.equals(change.tensor())
                          ? MemorySegment.ofArray(
                              change.bytes().apply(bytes.toArray(ValueLayout.JAVA_BYTE)))
                          : bytes);
            }
          });
      writer.finish(
          reader.sourceHashes(), change.figures().apply(Objects.requireNonNull(reader.figures())));
    }
    return file;
  }

  /** Every code of the slab's first rows is another one. */
  private static EncodedSlab otherCodes(EncodedSlab slab) {
    byte[] codes = slab.codes().toArray(ValueLayout.JAVA_BYTE);
    for (int i = 0; i < codes.length / 4; i++) {
      codes[i] ^= 0x33;
    }
    return new EncodedSlab(
        slab.grid(),
        slab.rows(),
        slab.columns(),
        MemorySegment.ofArray(codes),
        slab.rowScales(),
        slab.scales(),
        slab.zeros(),
        slab.squaredError(),
        slab.squaredNorm());
  }

  private static UnitFigures pairs(UnitFigures figures, UnaryOperator<PairFigures> change) {
    return new UnitFigures(
        figures.weights(),
        figures.squaredNorm(),
        figures.result(),
        figures.plain(),
        figures.plainClipped(),
        figures.plainEqualBits(),
        figures.fellBack(),
        figures.pairs().stream().map(change).toList(),
        figures.description());
  }

  private static PairFigures with(PairFigures pair, double result) {
    return new PairFigures(
        pair.left(),
        pair.right(),
        pair.weights(),
        pair.squaredNorm(),
        result,
        pair.plain(),
        pair.plainClipped(),
        pair.plainEqualBits(),
        pair.rotation(),
        pair.learned());
  }
}
