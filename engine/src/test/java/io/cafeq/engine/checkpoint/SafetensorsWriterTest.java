package io.cafeq.engine.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsWriterTest {
  @TempDir private Path folder;
  private final Arena arena = Arena.ofConfined();

  @AfterEach
  void free() {
    arena.close();
  }

  private MemorySegment bytes(int... values) {
    MemorySegment segment = arena.allocate(values.length);
    IntStream.range(0, values.length)
        .forEach(i -> segment.set(ValueLayout.JAVA_BYTE, i, (byte) values[i]));
    return segment;
  }

  private static Entry entry(String name, Dtype dtype, long... shape) {
    return new Entry(name, dtype, java.util.Arrays.stream(shape).boxed().toList());
  }

  private List<String> files() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(f -> folder.relativize(f).toString()).sorted().toList();
    }
  }

  @Test
  void writesTheseBytes() throws IOException {
    Path file = folder.resolve("x.safetensors");
    List<Entry> tensors =
        List.of(
            entry("b", Dtype.U8, 2),
            entry("a", Dtype.U8, 1),
            entry("c", Dtype.F16, 1),
            entry("e", Dtype.F32, 0));
    try (SafetensorsWriter writer = SafetensorsWriter.create(file, tensors, Map.of("tied", "a"))) {
      assertThat(writer.order().stream().map(Entry::name)).containsExactly("e", "c", "a", "b");
      writer.append("c", bytes(1, 2));
      writer.append("a", bytes(3));
      writer.append("b", bytes(4));
      assertThat(writer.isComplete()).isFalse();
      writer.append("b", bytes(5));
      assertThat(writer.isComplete()).isTrue();
      assertThat(files()).containsExactly("x.safetensors.part");
      writer.finish();
    }
    String header =
        "{\"__metadata__\":{\"format\":\"pt\",\"tied\":\"a\"},"
            + "\"e\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},"
            + "\"c\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,2]},"
            + "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]},"
            + "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[3,5]}}";
    header += " ".repeat((8 - header.length() % 8) % 8);
    assertThat(Files.readAllBytes(file))
        .isEqualTo(RawSafetensors.bytes(header, new byte[] {1, 2, 3, 4, 5}));
    assertThat(files()).containsExactly("x.safetensors");
  }

  @Test
  void leavesNothingWhereItIsNotFinished() throws IOException {
    try (SafetensorsWriter writer =
        SafetensorsWriter.create(
            folder.resolve("x.safetensors"), List.of(entry("a", Dtype.U8, 2)), Map.of())) {
      writer.append("a", bytes(1));
      assertThatThrownBy(writer::finish)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("a is not complete");
    }
    assertThat(files()).isEmpty();
  }

  @Test
  void refusesBytesThatWereNotDeclared() {
    List<Entry> tensors = List.of(entry("a", Dtype.U8, 2), entry("b", Dtype.U8, 1));
    try (SafetensorsWriter writer =
        SafetensorsWriter.create(folder.resolve("x.safetensors"), tensors, Map.of())) {
      assertThatThrownBy(() -> writer.append("b", bytes(1)))
          .isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> writer.append("a", bytes(1, 2, 3)))
          .isInstanceOf(IllegalStateException.class);
      writer.append("a", bytes(1, 2));
      assertThatThrownBy(() -> writer.append("a", bytes(1)))
          .isInstanceOf(IllegalStateException.class);
    }
    assertThatThrownBy(
            () ->
                SafetensorsWriter.create(
                    folder.resolve("x.safetensors"),
                    List.of(entry("a", Dtype.U8), entry("a", Dtype.U8)),
                    Map.of()))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aFullDiskIsATypedFailureAndLeavesNoFile() throws IOException {
    assumeTrue(Files.exists(Path.of("/dev/full")), "no /dev/full here");
    Path target = folder.resolve("x.safetensors");
    Files.createSymbolicLink(folder.resolve("x.safetensors.part"), Path.of("/dev/full"));
    EngineException failure =
        catchThrowableOfType(
            EngineException.class,
            () ->
                SafetensorsWriter.create(target, List.of(entry("a", Dtype.U8, 2)), Map.of())
                    .close());
    assertThat(failure.kind()).isEqualTo(FailureKind.ENVIRONMENT);
    assertThat(failure)
        .hasMessageContaining("x.safetensors")
        .hasMessageContaining("the disk is full");
    assertThat(failure.remedy()).contains("Free some disk space");
    assertThat(files()).isEmpty();
  }

  @Test
  void aFolderThatIsMissingIsATypedFailure() {
    EngineException failure =
        catchThrowableOfType(
            EngineException.class,
            () ->
                SafetensorsWriter.create(folder.resolve("gone/x.safetensors"), List.of(), Map.of())
                    .close());
    assertThat(failure.kind()).isEqualTo(FailureKind.ENVIRONMENT);
    assertThat(failure.remedy()).contains("folder exists");
  }

  @Test
  void aTargetThatCannotBeReplacedIsATypedFailureAndLeavesNoPart() throws IOException {
    Files.createDirectories(folder.resolve("x.safetensors/inside"));
    try (SafetensorsWriter writer =
        SafetensorsWriter.create(folder.resolve("x.safetensors"), List.of(), Map.of())) {
      EngineException failure = catchThrowableOfType(EngineException.class, writer::finish);
      assertThat(failure.kind()).isEqualTo(FailureKind.ENVIRONMENT);
    }
    assertThat(files()).containsExactly("x.safetensors");
  }

  @Test
  void spreadsTensorsOverShardsWithAnIndex() throws IOException {
    List<Entry> tensors =
        List.of(
            entry("a", Dtype.U8, 3),
            entry("b", Dtype.F16, 2),
            entry("c", Dtype.U8, 9),
            entry("d", Dtype.U8, 1));
    List<ShardedWriter.Shard> shards = ShardedWriter.spread(tensors, 7);
    assertThat(shards.stream().map(s -> s.tensors().size())).containsExactly(2, 1, 1);
    try (ShardedWriter writer = ShardedWriter.create(folder, shards, Map.of("tied", "a"))) {
      for (Entry tensor : writer.order()) {
        writer.append(tensor.name(), bytes(new int[Math.toIntExact(tensor.bytes())]));
      }
      assertThat(files()).doesNotContain(CheckpointFiles.INDEX);
      writer.finish();
    }
    assertThat(files())
        .containsExactly(
            "model-00001-of-00003.safetensors",
            "model-00002-of-00003.safetensors",
            "model-00003-of-00003.safetensors",
            CheckpointFiles.INDEX);
    JsonNode index = new JsonMapper().readTree(folder.resolve(CheckpointFiles.INDEX).toFile());
    assertThat(index.at("/metadata/total_size").asLong()).isEqualTo(17);
    assertThat(index.at("/weight_map/c").asText()).isEqualTo("model-00002-of-00003.safetensors");
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.tensors().stream().map(TensorInfo::name))
          .containsExactly("b", "a", "c", "d");
      assertThat(checkpoint.aliases()).containsEntry("tied", "a");
    }
  }

  @Test
  void writesOneFileWithoutAnIndex() throws IOException {
    List<ShardedWriter.Shard> shards =
        ShardedWriter.spread(List.of(entry("a", Dtype.U8, 3), entry("empty", Dtype.F32, 0)), 100);
    try (ShardedWriter writer = ShardedWriter.create(folder, shards, Map.of())) {
      writer.append("a", bytes(1, 2, 3));
      writer.finish();
    }
    assertThat(files()).containsExactly("model.safetensors");
  }

  @Test
  void shardsThatAreNotFinishedLeaveNothing() throws IOException {
    List<Entry> tensors = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      tensors.add(entry("t" + i, Dtype.U8, 4));
    }
    try (ShardedWriter writer =
        ShardedWriter.create(folder, ShardedWriter.spread(tensors, 4), Map.of())) {
      writer.append("t0", bytes(1, 2, 3, 4));
      writer.append("t1", bytes(1));
      assertThat(files()).contains("model-00001-of-00003.safetensors");
      assertThatThrownBy(writer::finish).isInstanceOf(IllegalStateException.class);
    }
    assertThat(files()).isEmpty();
  }

  @Test
  void writesWholeSmallFilesThatReplaceOlderOnes() throws IOException {
    Path target = folder.resolve("note.txt");
    DurableFile.write(target, "old".getBytes(StandardCharsets.UTF_8));
    DurableFile.write(target, "new".getBytes(StandardCharsets.UTF_8));
    assertThat(target).hasContent("new");
    assertThat(files()).containsExactly("note.txt");
  }
}
