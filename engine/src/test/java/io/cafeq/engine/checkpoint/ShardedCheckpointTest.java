package io.cafeq.engine.checkpoint;

import static io.cafeq.engine.checkpoint.RawSafetensors.entry;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The index and what it names. Sound here: a and b in the first file, c in the second. */
class ShardedCheckpointTest {
  private static final String FIRST = "model-00001-of-00002.safetensors";
  private static final String SECOND = "model-00002-of-00002.safetensors";

  @TempDir private Path folder;

  @BeforeEach
  void writeShards() throws IOException {
    RawSafetensors.write(
        folder,
        FIRST,
        "{" + entry("a", "U8", "[1]", 0, 1) + "," + entry("b", "U8", "[1]", 1, 2) + "}",
        new byte[] {1, 2});
    RawSafetensors.write(folder, SECOND, "{" + entry("c", "U8", "[1]", 0, 1) + "}", new byte[] {3});
    index("{\"a\":\"" + FIRST + "\",\"b\":\"" + FIRST + "\",\"c\":\"" + SECOND + "\"}");
  }

  private void index(String weightMap) throws IOException {
    Files.writeString(
        folder.resolve(CheckpointFiles.INDEX),
        "{\"metadata\":{\"total_size\":3},\"weight_map\":" + weightMap + "}");
  }

  private CheckpointException refusal() {
    CheckpointException refused =
        catchThrowableOfType(CheckpointException.class, () -> Checkpoint.open(folder).close());
    assertThat(refused).as("a refusal").isNotNull();
    assertThat(refused.remedy()).isNotBlank();
    return refused;
  }

  private static byte value(Checkpoint checkpoint, String name) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment one = arena.allocate(1);
      checkpoint.read(checkpoint.tensor(name).orElseThrow(), 0, one);
      return one.get(ValueLayout.JAVA_BYTE, 0);
    }
  }

  @Test
  void readsAllShards() {
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.tensors().stream().map(TensorInfo::name))
          .containsExactly("a", "b", "c");
      assertThat(checkpoint.shards().sequencedKeySet()).containsExactly(FIRST, SECOND);
      assertThat(value(checkpoint, "b")).isEqualTo((byte) 2);
      assertThat(value(checkpoint, "c")).isEqualTo((byte) 3);
      assertThat(checkpoint.sideFiles()).isEmpty();
      assertThat(checkpoint.leftOut()).isEmpty();
    }
  }

  @Test
  void followsLinksInsideTheFolder() throws IOException {
    Path blobs = Files.createDirectories(folder.resolve("cache/blobs"));
    Path snapshot = Files.createDirectories(folder.resolve("cache/snapshots/main"));
    for (String file : new String[] {FIRST, SECOND, CheckpointFiles.INDEX}) {
      Files.move(folder.resolve(file), blobs.resolve("0" + file.hashCode()));
      Files.createSymbolicLink(snapshot.resolve(file), Path.of("../../blobs/0" + file.hashCode()));
    }
    try (Checkpoint checkpoint = Checkpoint.open(snapshot)) {
      assertThat(checkpoint.location()).isEqualTo(snapshot.toRealPath().toString());
      assertThat(value(checkpoint, "c")).isEqualTo((byte) 3);
    }
    try (Checkpoint checkpoint = Checkpoint.open(snapshot.resolve(SECOND))) {
      assertThat(checkpoint.location()).isEqualTo(snapshot.toRealPath().toString());
      assertThat(checkpoint.tensors()).hasSize(1);
    }
  }

  @Test
  void refusesAMissingShard() throws IOException {
    Files.delete(folder.resolve(SECOND));
    assertThat(refusal()).hasMessageContaining(SECOND).hasMessageContaining("no such file");
  }

  @Test
  void refusesALinkToNothing() throws IOException {
    Files.delete(folder.resolve(SECOND));
    Files.createSymbolicLink(folder.resolve(SECOND), Path.of("../../blobs/gone"));
    assertThat(refusal()).hasMessageContaining(SECOND).hasMessageContaining("a link to nothing");
  }

  @Test
  void refusesAFolderInPlaceOfAShard() throws IOException {
    Files.delete(folder.resolve(SECOND));
    Files.createDirectory(folder.resolve(SECOND));
    assertThat(refusal()).hasMessageContaining(SECOND).hasMessageContaining("expected a file");
  }

  @Test
  void refusesATensorThatIsNotInItsShard() throws IOException {
    index(
        "{\"a\":\""
            + FIRST
            + "\",\"b\":\""
            + FIRST
            + "\",\"c\":\""
            + SECOND
            + "\",\"d\":\""
            + SECOND
            + "\"}");
    assertThat(refusal())
        .hasMessageContaining(SECOND)
        .hasMessageContaining("tensor \"d\" is missing");
  }

  @Test
  void checksEveryShardBeforeItReturns() throws IOException {
    RawSafetensors.write(folder, SECOND, "{" + entry("c", "F32", "[9]", 0, 36) + "}", new byte[35]);
    assertThat(refusal())
        .hasMessageContaining(SECOND)
        .hasMessageContaining("tensor \"c\"")
        .hasMessageContaining("truncated");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "../x.safetensors",
        "/etc/x.safetensors",
        "sub/x.safetensors",
        "..",
        "",
        "a\\\\b.safetensors"
      })
  void refusesAFileOutsideTheFolder(String file) throws IOException {
    index("{\"a\":\"" + file + "\"}");
    assertThat(refusal())
        .hasMessageContaining(CheckpointFiles.INDEX)
        .hasMessageContaining("tensor \"a\"")
        .hasMessageContaining("plain name");
  }

  @Test
  void refusesAFileOfAnotherFormat() throws IOException {
    index("{\"a\":\"weights.bin\"}");
    assertThat(refusal())
        .hasMessageContaining("expected a .safetensors file, found \"weights.bin\"");
  }

  @Test
  void refusesAnIndexWithDuplicates() throws IOException {
    index("{\"a\":\"" + FIRST + "\",\"a\":\"" + SECOND + "\"}");
    assertThat(refusal()).hasMessageContaining("duplicate key \"a\" in weight_map");
  }

  @ParameterizedTest
  @ValueSource(strings = {"[]", "\"x\"", "null"})
  void refusesAMapThatIsNoObject(String weightMap) throws IOException {
    index(weightMap);
    assertThat(refusal())
        .hasMessageContaining(CheckpointFiles.INDEX)
        .hasMessageContaining("must be an object");
  }

  @ParameterizedTest
  @ValueSource(strings = {"{\"a\":1}", "{\"a\":null}", "{\"a\":{}}"})
  void refusesAMapToSomethingElseThanNames(String weightMap) throws IOException {
    index(weightMap);
    assertThat(refusal()).hasMessageContaining("tensor \"a\": expected a file name");
  }

  @Test
  void refusesAnIndexWithoutAMap() throws IOException {
    Files.writeString(folder.resolve(CheckpointFiles.INDEX), "{\"metadata\":{}}");
    assertThat(refusal()).hasMessageContaining("weight_map is missing");
  }

  @Test
  void refusesAnIndexThatIsNotJson() throws IOException {
    Files.writeString(folder.resolve(CheckpointFiles.INDEX), "{\"weight_map\":");
    assertThat(refusal()).hasMessageContaining("the index is not JSON");
  }

  @Test
  void refusesMoreTensorsThanFitIntoMemory() throws IOException {
    StringBuilder header = new StringBuilder("{");
    for (int i = 0; i <= HeaderBudget.TENSORS; i++) {
      header.append(i == 0 ? "" : ",").append(entry("t" + i, "U8", "[0]", 0, 0));
    }
    RawSafetensors.write(folder, SECOND, header.append('}').toString(), new byte[0]);
    assertThat(refusal())
        .hasMessageContaining(SECOND)
        .hasMessageContaining("more than 400000 tensors");
  }
}
