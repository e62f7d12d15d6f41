package io.cafeq.engine.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.result.ResultLayout;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ResultTest {
  @TempDir Path folder;
  private SampleResult sample;

  @BeforeEach
  void makeSample() throws IOException {
    sample = SampleResult.make(folder);
  }

  @Test
  void aSoundResultVerifiesWithAndWithoutItsSource() {
    ResultVerifier.Verdict alone = verify(null);
    assertThat(alone.problems()).isEmpty();
    assertThat(alone.weights()).isEqualTo(24 * 48 + 12 * 48 + 40 * 32 + 6 * 11);
    try (Checkpoint source = Checkpoint.open(sample.source)) {
      ResultVerifier.Verdict verdict = verify(source);
      assertThat(verdict.problems()).isEmpty();
      assertThat(verdict.units()).isEqualTo(4);
      assertThat(verdict.relativeError()).isBetween(1e-4, 0.5);
    }
  }

  @Test
  void theReaderGivesEffectiveWeightsNearTheSourceAndCopiedBytes() {
    List<Double> errors = new ArrayList<>();
    try (ResultReader reader = ResultReader.open(sample.result);
        Checkpoint source = Checkpoint.open(sample.source)) {
      for (String name :
          List.of(
              "a.q.weight", "a.k.weight", "b.down.weight", "c.plain.weight", "lm_head.weight")) {
        String stored = name.equals("lm_head.weight") ? "a.q.weight" : name;
        List<Long> rows = new ArrayList<>();
        reader.forEachSlab(
            name,
            (firstRow, weights) -> {
              assertThat(firstRow).isEqualTo(rows.stream().mapToLong(Long::longValue).sum());
              rows.add((long) weights.rows());
              try (java.lang.foreign.Arena arena = java.lang.foreign.Arena.ofConfined()) {
                var original =
                    io.cafeq.engine.memory.FloatMatrix.allocate(
                        arena, weights.rows(), weights.columns());
                source.readFloats(source.tensor(stored).orElseThrow(), (int) firstRow, 0, original);
                for (int i = 0; i < weights.elements(); i++) {
                  errors.add(
                      Math.abs(
                          (double) weights.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i)
                              - original.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i)));
                }
              }
            });
        assertThat(rows.stream().mapToLong(Long::longValue).sum())
            .isEqualTo(reader.header(name).rows());
      }
      assertThat(errors).allSatisfy(error -> assertThat(error).isLessThan(0.2));
      List<Long> raw = new ArrayList<>();
      reader.forEachRaw("d.norm.weight", (offset, bytes) -> raw.add(bytes.byteSize()));
      assertThat(raw).containsExactly(96L);
      assertThatThrownBy(() -> reader.header("nothing")).hasMessageContaining("nothing");
    }
  }

  @Test
  void everyProblemIsListed() throws IOException {
    Files.delete(sample.result.resolve("units/b.down.arrow"));
    Files.writeString(sample.result.resolve("config.json"), "{}");
    Files.writeString(sample.result.resolve("units/stray.arrow"), "x");
    assertThat(verify(null).problems())
        .extracting(EngineException::getMessage)
        .satisfiesExactlyInAnyOrder(
            message -> assertThat(message).contains("b.down.arrow", "missing"),
            message -> assertThat(message).contains("stray.arrow"),
            message -> assertThat(message).contains("config.json"));
  }

  @Test
  void aSourceWithOtherWeightsIsFoundOut() throws IOException {
    Path shard = sample.source.resolve("model-00002-of-00002.safetensors");
    byte[] bytes = Files.readAllBytes(shard);
    for (int i = bytes.length - 400; i < bytes.length; i += 4) {
      bytes[i] ^= 0x20;
    }
    Files.write(shard, bytes);
    try (Checkpoint source = Checkpoint.open(sample.source)) {
      assertThat(verify(source).problems())
          .isNotEmpty()
          .allSatisfy(problem -> assertThat(problem.kind()).isEqualTo(FailureKind.RESULT));
    }
  }

  @Test
  void wrongFiguresAreFoundOut() throws IOException {
    Path file = sample.result.resolve("units/wrong.arrow");
    try (Checkpoint source = Checkpoint.open(sample.source)) {
      UnitFileReader reader = UnitFileReader.open(sample.result.resolve("units/c.plain.arrow"));
      try (reader;
          UnitFileWriter writer = UnitFileWriter.open(file, reader.header())) {
        reader.forEachSlab(
            "c.plain.weight",
            row -> {
              var slab = row.slab();
              writer.writeSlab(
                  row.tensor(),
                  row.expert(),
                  row.firstRow(),
                  new io.cafeq.engine.grid.EncodedSlab(
                      slab.grid(),
                      slab.rows(),
                      slab.columns(),
                      slab.codes(),
                      slab.rowScales(),
                      slab.scales(),
                      slab.zeros(),
                      slab.squaredError() * 1.01,
                      slab.squaredNorm()));
            });
        writer.finish(reader.sourceHashes(), reader.figures());
      }
      UnitProof.Outcome outcome =
          UnitProof.check(file, new UnitProof.Against.Source(source, true), new StopFlag());
      assertThat(outcome.problems()).hasSize(1);
      assertThat(outcome.problems().getFirst())
          .hasMessageContaining("c.plain.weight")
          .hasMessageContaining("squared error");
      assertThatThrownBy(outcome::orThrow).isInstanceOf(EngineException.class);
    }
  }

  @Test
  void aResultWithoutManifestIsPartial() throws IOException {
    Files.delete(sample.result.resolve(ResultLayout.MANIFEST));
    assertThatThrownBy(() -> ResultReader.open(sample.result))
        .isInstanceOf(EngineException.class)
        .hasMessageContaining("partial");
    assertThat(verify(null).problems())
        .singleElement()
        .satisfies(p -> assertThat(p).hasMessageContaining("partial"));
  }

  @Test
  void manifestsComeBackAndAreTheSameBytes() throws IOException {
    Manifest manifest = Manifest.read(sample.result);
    Path other = Files.createDirectory(folder.resolve("other"));
    manifest.write(other);
    assertThat(
            Files.mismatch(
                sample.result.resolve(ResultLayout.MANIFEST), other.resolve(ResultLayout.MANIFEST)))
        .isEqualTo(-1);
    assertThat(Manifest.read(other)).isEqualTo(manifest);
  }

  @Test
  void manifestsThatLieAreRefused() throws IOException {
    String text = Files.readString(sample.result.resolve(ResultLayout.MANIFEST));
    refused(text.replace("\"units/c.plain.arrow\"", "\"../c.plain.arrow\""), "units/ID.arrow");
    refused(text.replace("\"extra/template.txt\"", "\"../../etc/passwd\""), "passwd");
    refused(text.replace("\"extra/template.txt\"", "\"/etc/passwd\""), "passwd");
    refused(text.replace("\"format_version\" : \"2.0\"", "\"format_version\" : \"3.0\""), "3.0");
    refused(text.replace("\"b.down.weight\"", "\"a.q.weight\""), "a.q.weight");
    refused(
        text.replace("model-00001-of-00002.safetensors", "../model.safetensors"),
        "model.safetensors");
    refused(text.substring(0, text.length() / 2), "JSON");
    Files.writeString(
        sample.result.resolve(ResultLayout.MANIFEST),
        text.replace(
            "\"format_version\" : \"1.0\"", "\"format_version\" : \"1.7\", \"later\" : [ 1 ]"));
    Assertions.assertThat(verify(null).problems()).isEmpty();
  }

  private void refused(String text, String named) throws IOException {
    Files.writeString(sample.result.resolve(ResultLayout.MANIFEST), text);
    assertThatThrownBy(() -> Manifest.read(sample.result))
        .isInstanceOfSatisfying(
            EngineException.class, e -> assertThat(e.kind()).isEqualTo(FailureKind.RESULT))
        .hasMessageContaining(named);
  }

  private ResultVerifier.Verdict verify(@org.jspecify.annotations.Nullable Checkpoint source) {
    return ResultVerifier.verify(sample.result, source, new StopFlag(), unit -> {});
  }
}
