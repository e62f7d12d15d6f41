package io.cafeq.engine.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cafeq.engine.store.Located;
import io.cafeq.engine.store.MemoryStore;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Checkpoints that are in no folder. */
class CheckpointStoreTest {
  private final MemoryStore files = new MemoryStore();

  private static byte[] safetensors(String tensor, byte value) {
    byte[] header =
        ("{\"" + tensor + "\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}")
            .getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(8 + header.length + 1)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(header.length)
        .put(header)
        .put(value)
        .array();
  }

  private static byte[] text(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private Checkpoint open(Optional<String> file) {
    return Checkpoint.open(new Located(files.copy(), file));
  }

  private void putTwoShards() {
    files
        .put("one.safetensors", safetensors("a", (byte) 1))
        .put("two.safetensors", safetensors("b", (byte) 2))
        .put(
            CheckpointFiles.INDEX,
            text("{\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\"}}"))
        .put("config.json", text("{\"model_type\":\"llama\"}"))
        .put("templates/chat.jinja", text("x"));
  }

  @Test
  void readsShardsSideFilesAndConfig() {
    putTwoShards();
    try (Checkpoint checkpoint = open(Optional.empty());
        Arena arena = Arena.ofConfined()) {
      assertThat(checkpoint.location()).isEqualTo("memory:");
      assertThat(checkpoint.localPath()).isEmpty();
      assertThat(checkpoint.shards())
          .containsExactlyInAnyOrderEntriesOf(
              Map.of(
                  "one.safetensors",
                  (long) safetensors("a", (byte) 1).length,
                  "two.safetensors",
                  (long) safetensors("b", (byte) 2).length));
      assertThat(checkpoint.sideFiles()).containsExactly("config.json", "templates/chat.jinja");
      assertThat(checkpoint.config().modelType()).contains("llama");
      assertThat(checkpoint.bytesRead()).isZero();
      MemorySegment one = arena.allocate(1);
      checkpoint.read(checkpoint.tensor("b").orElseThrow(), 0, one);
      assertThat(one.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 2);
      assertThat(checkpoint.bytesRead()).isEqualTo(1);
    }
  }

  @Test
  void aFileByItselfTakesNothingAlong() {
    files.put("two.safetensors", safetensors("b", (byte) 2)).put("tax.pdf", text("x"));
    try (Checkpoint checkpoint = open(Optional.of("two.safetensors"))) {
      assertThat(checkpoint.address()).isEqualTo("memory:two.safetensors");
      assertThat(checkpoint.sideFiles()).isEmpty();
    }
  }

  @Test
  void failuresNameThePlaceInTheStore() {
    putTwoShards();
    files.put("two.safetensors", new byte[] {1});
    assertThatThrownBy(() -> open(Optional.empty()))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("memory:two.safetensors: expected at least 8 bytes, found 1");
    files.put(CheckpointFiles.INDEX, text("{\"weight_map\":{\"a\":\"../one.safetensors\"}}"));
    assertThatThrownBy(() -> open(Optional.empty()))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("memory:" + CheckpointFiles.INDEX)
        .hasMessageContaining("../one.safetensors");
    files.put(CheckpointFiles.INDEX, text("{\"weight_map\":{\"a\":\"gone.safetensors\"}}"));
    assertThatThrownBy(() -> open(Optional.empty()))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("memory:gone.safetensors: no such file");
  }
}
