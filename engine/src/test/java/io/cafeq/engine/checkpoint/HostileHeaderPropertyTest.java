package io.cafeq.engine.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.lifecycle.AfterProperty;

class HostileHeaderPropertyTest {
  private static final long MOST_ALLOCATED = 4 << 20;
  private final Path folder;

  HostileHeaderPropertyTest() throws IOException {
    folder = Files.createTempDirectory("headers");
    // Classes are loaded once, and that is not what is measured.
    read(RawSafetensors.bytes("{\"w\":{}}", new byte[0]));
    read(
        RawSafetensors.bytes(
            "{" + RawSafetensors.entry("w", "U8", "[1]", 0, 1) + "}", new byte[1]));
  }

  @AfterProperty
  void removeFolder() throws IOException {
    // A search for a smaller failing sample can be cut short, and then leaves more than one file.
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
    }
    Files.delete(folder);
  }

  /**
   * A header that is read gives tensors that lie inside the file; any other is a
   * CheckpointException, and neither costs.
   */
  private void open(byte[] file) throws IOException {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    List<TensorInfo> tensors = read(file);
    assertThat(threads.getCurrentThreadAllocatedBytes() - before).isLessThan(MOST_ALLOCATED);
    long end = 8;
    for (TensorInfo tensor : tensors) {
      assertThat(tensor.position()).isGreaterThanOrEqualTo(end);
      end = tensor.position() + tensor.bytes();
      assertThat(end).isLessThanOrEqualTo(file.length);
    }
  }

  private List<TensorInfo> read(byte[] file) throws IOException {
    Path path = Files.write(folder.resolve("model.safetensors"), file);
    try (Checkpoint checkpoint = Checkpoint.open(path)) {
      return checkpoint.tensors();
    } catch (CheckpointException e) {
      assertThat(e.getMessage()).contains("model.safetensors");
      return List.of();
    }
  }

  @Property(tries = 300)
  void anyBytesAtAll(@ForAll @Size(max = 200) byte[] bytes) throws IOException {
    open(bytes);
  }

  @Property(tries = 500)
  void anyTextAsHeader(@ForAll("jsonLike") List<String> tokens, @ForAll @Size(max = 20) byte[] data)
      throws IOException {
    open(RawSafetensors.bytes("{" + String.join("", tokens), data));
  }

  @Provide
  Arbitrary<List<String>> jsonLike() {
    return Arbitraries.of(
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"a\"",
            "\"b\"",
            "\"dtype\"",
            "\"shape\"",
            "\"data_offsets\"",
            "\"U8\"",
            "\"F64\"",
            "\"__metadata__\"",
            "0",
            "1",
            "-1",
            "9223372036854775807",
            "18446744073709551616",
            "1e9",
            "null",
            "true",
            " ",
            "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}")
        .list()
        .ofMaxSize(40);
  }

  @Property(tries = 500)
  void anyNumbersInAnEntry(
      @ForAll("sizes") List<Long> shape, @ForAll("sizes") List<Long> offsets, @ForAll Dtype dtype)
      throws IOException {
    String header =
        "{\"w\":{\"dtype\":\""
            + dtype
            + "\",\"shape\":"
            + shape
            + ",\"data_offsets\":"
            + offsets
            + "}}";
    open(RawSafetensors.bytes(header, new byte[16]));
  }

  @Provide
  Arbitrary<List<Long>> sizes() {
    return Arbitraries.frequencyOf(
            net.jqwik.api.Tuple.of(3, Arbitraries.longs().between(0, 16)),
            net.jqwik.api.Tuple.of(1, Arbitraries.longs()))
        .list()
        .ofMaxSize(4);
  }

  @Property(tries = 150)
  void oneByteChangedInASoundFile(@ForAll("entries") List<Entry> entries, @ForAll long seed)
      throws IOException {
    byte[] file = written(entries, Map.of("note", "x"));
    Random random = new Random(seed);
    file[random.nextInt(Math.min(file.length, 400))] = (byte) random.nextInt();
    open(file);
  }

  @Property(tries = 100)
  void whatIsWrittenIsReadBack(
      @ForAll("entries") List<Entry> entries, @ForAll("metadata") Map<String, String> metadata)
      throws IOException {
    byte[] file = written(entries, metadata);
    assertThat(new String(file, 8, 1, StandardCharsets.UTF_8)).isEqualTo("{");
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.tensors().stream().map(Entry::of))
          .containsExactlyInAnyOrderElementsOf(entries);
      assertThat(checkpoint.metadata()).containsAllEntriesOf(metadata).containsKey("format");
      for (TensorInfo tensor : checkpoint.tensors()) {
        assertThat(tensor.position() % tensor.dtype().bytes())
            .as("alignment of " + tensor)
            .isZero();
      }
    }
  }

  private byte[] written(List<Entry> entries, Map<String, String> metadata) throws IOException {
    Path path = folder.resolve("model.safetensors");
    try (SafetensorsWriter writer = SafetensorsWriter.create(path, entries, metadata);
        Arena arena = Arena.ofConfined()) {
      for (Entry entry : writer.order()) {
        writer.append(entry.name(), arena.allocate(entry.bytes()));
      }
      writer.finish();
    }
    return Files.readAllBytes(path);
  }

  @Provide
  Arbitrary<Map<String, String>> metadata() {
    return Arbitraries.maps(
            names(), Arbitraries.strings().ofMaxLength(20).filter(Names::isWellFormed))
        .ofMaxSize(4);
  }

  @Provide
  Arbitrary<List<Entry>> entries() {
    Arbitrary<List<Long>> shapes = Arbitraries.longs().between(0, 5).list().ofMaxSize(3);
    return Combinators.combine(names(), Arbitraries.of(Dtype.class), shapes)
        .as(Entry::new)
        .list()
        .uniqueElements(Entry::name)
        .ofMaxSize(8)
        .map(ArrayList::new);
  }

  private static Arbitrary<String> names() {
    return Arbitraries.strings()
        .ofMinLength(1)
        .ofMaxLength(12)
        .filter(name -> Names.isWellFormed(name) && !name.equals("__metadata__"));
  }
}
