package io.cafeq.engine.quantize;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.block.ResultVerifier;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.block.UnitFileReader;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.checkpoint.ShardedWriter;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.family.FamilyShapes;
import io.cafeq.engine.model.QuantizedFolder;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Units of which some parts fall back to plain rounding: the others keep what was learned to the
 * byte, and the figures are those of what is there.
 */
class MixedUnitTest {
  @TempDir Path folder;

  @Test
  void partsThatFallBackLeaveTheOthersAlone() throws IOException {
    Path source = experts(folder.resolve("source"));
    Path learned = make(source, "learned", false);
    Path mixed = make(source, "mixed", true);
    Path again = make(source, "again", true);

    int mixedUnits = 0;
    for (Path file : units(mixed)) {
      assertThat(Files.mismatch(file, again.resolve("units").resolve(file.getFileName())))
          .isEqualTo(-1);
      mixedUnits += isMixed(file, learned.resolve("units").resolve(file.getFileName())) ? 1 : 0;
    }
    assertThat(mixedUnits).isEqualTo(1);
    try (Checkpoint checkpoint = Checkpoint.open(source)) {
      assertThat(ResultVerifier.verify(mixed, checkpoint, new StopFlag(), unit -> {}).problems())
          .isEmpty();
    }
  }

  /**
   * Whether some rows are coded as the learned file has them, and others plainly; the former have
   * the very same codes.
   */
  private static boolean isMixed(Path file, Path learned) {
    try (UnitFileReader reader = UnitFileReader.open(file);
        UnitFileReader before = UnitFileReader.open(learned)) {
      boolean fell = false;
      boolean stayed = false;
      for (TensorHeader tensor : reader.header().tensors()) {
        Map<Long, byte[]> codes = codes(before, tensor.name());
        for (Map.Entry<Long, byte[]> slab : codes(reader, tensor.name()).entrySet()) {
          boolean same =
              coding(tensor, slab.getKey())
                  .equals(coding(before.header().tensor(tensor.name()), slab.getKey()));
          if (same && coding(tensor, slab.getKey()).transform() != null) {
            assertThat(slab.getValue()).isEqualTo(Objects.requireNonNull(codes.get(slab.getKey())));
            stayed = true;
          } else if (!same) {
            assertThat(coding(tensor, slab.getKey()).transform()).isNull();
            fell = true;
          }
        }
      }
      if (fell && stayed) {
        assertThat(Objects.requireNonNull(reader.figures()).fellBack()).isFalse();
        assertThat(Objects.requireNonNull(reader.figures()).result().squaredError())
            .isLessThanOrEqualTo(Objects.requireNonNull(before.figures()).result().squaredError());
      }
      return fell && stayed;
    }
  }

  private static TensorHeader.Coding coding(TensorHeader tensor, long row) {
    return tensor.sectionOf(row).orElseThrow().coding();
  }

  private static Map<Long, byte[]> codes(UnitFileReader reader, String tensor) {
    Map<Long, byte[]> codes = new HashMap<>();
    TensorHeader header = reader.header().tensor(tensor);
    reader.forEachSlab(
        tensor,
        slab ->
            codes.put(
                Math.max(0, slab.expert()) * header.rows() + slab.firstRow(),
                slab.slab().codes().toArray(ValueLayout.JAVA_BYTE)));
    return codes;
  }

  private Path make(Path source, String name, boolean fallBack) {
    Path result = folder.resolve(name);
    QuantizedFolder.make(
        source,
        result,
        Map.of(
            "group",
            "channel",
            "block",
            "16",
            "side",
            "output",
            "steps",
            "10",
            "transform-bits",
            "16",
            "scales",
            "f16-minimum",
            "fall-back",
            Boolean.toString(fallBack)));
    return result;
  }

  /**
   * Three experts: of two values only, with spikes that a transform spreads over its rows, and of
   * two values again.
   */
  private static Path experts(Path source) throws IOException {
    List<Entry> entries =
        IntStream.range(0, 3)
            .mapToObj(
                expert ->
                    new Entry(
                        "model.layers.0.block_sparse_moe.experts." + expert + ".w2.weight",
                        Dtype.F32,
                        List.of(32L, 512L)))
            .toList();
    Files.createDirectories(source);
    Files.writeString(source.resolve("config.json"), FamilyShapes.of("mixtral").config());
    Random random = new Random(8);
    try (Arena arena = Arena.ofConfined();
        ShardedWriter writer =
            ShardedWriter.create(
                source, List.of(new ShardedWriter.Shard("model.safetensors", entries)), Map.of())) {
      for (Entry entry : writer.order()) {
        MemorySegment bytes = arena.allocate(entry.bytes(), 8);
        boolean spikes = entry.name().contains(".1.");
        for (int column = 0; column < 512; column++) {
          for (int row = 0; row < 32; row++) {
            boolean hit = row % 16 == (column * 7 + row / 16) % 16;
            double value =
                spikes
                    ? random.nextGaussian() * 0.06 + (hit ? random.nextDouble() * 2 - 1 : 0)
                    : random.nextBoolean() ? 0.5 : -0.5;
            bytes.setAtIndex(ValueLayout.JAVA_FLOAT, row * 512L + column, (float) value);
          }
        }
        writer.append(entry.name(), bytes);
      }
      writer.finish();
    }
    return source;
  }

  private static List<Path> units(Path result) throws IOException {
    try (Stream<Path> files = Files.list(result.resolve("units"))) {
      return new ArrayList<>(Arrays.asList(files.sorted().toArray(Path[]::new)));
    }
  }
}
