package io.cafeq.engine.export.gguf;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.text.VisibleText;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/**
 * A file of version 3, little-endian, opened for reading. Everything is checked against the file's
 * length before memory is taken for it. Used by the thread that opened it. A damaged file is an
 * EngineException of kind RESULT.
 */
final class GgufFile implements AutoCloseable {
  private final Path path;
  private final FileChannel channel;
  private final HeaderReader.Header header;

  private GgufFile(Path path, FileChannel channel, HeaderReader.Header header) {
    this.path = path;
    this.channel = channel;
    this.header = header;
  }

  static GgufFile open(Path path) {
    try {
      FileChannel channel = FileChannel.open(path, StandardOpenOption.READ);
      try {
        GgufFile file = new GgufFile(path, channel, HeaderReader.read(channel));
        file.checkPlaces();
        return file;
      } catch (IOException | RuntimeException e) {
        channel.close();
        throw e;
      }
    } catch (HeaderReader.Bad e) {
      throw damaged(path, String.valueOf(e.getMessage()));
    } catch (IOException e) {
      throw FileFailure.of("read", path, e);
    }
  }

  private void checkPlaces() throws IOException {
    long expected = 0;
    for (GgufTensor tensor : header.tensors().values()) {
      if (tensor.offset() != expected) {
        throw new HeaderReader.Bad(
            "tensor %s begins at %d, expected %d"
                .formatted(VisibleText.quoted(tensor.name()), tensor.offset(), expected));
      }
      expected = HeaderWriter.aligned(Math.addExact(tensor.offset(), tensor.bytes()));
    }
    if (Math.addExact(header.dataStart(), expected) != channel.size()) {
      throw new HeaderReader.Bad(
          "the file has %d bytes, expected %d"
              .formatted(channel.size(), header.dataStart() + expected));
    }
  }

  /** By key, in the file's order. */
  Map<String, GgufValue> values() {
    return header.values();
  }

  /** By name, in the file's order. */
  Map<String, GgufTensor> tensors() {
    return new LinkedHashMap<>(header.tensors());
  }

  GgufTensor tensor(String name) {
    return Objects.requireNonNull(header.tensors().get(name), name);
  }

  /** Fills a native segment with a tensor's bytes from {@code offset} on. */
  void read(GgufTensor tensor, long offset, MemorySegment target) {
    Objects.checkFromIndexSize(offset, target.byteSize(), tensor.bytes());
    long position = header.dataStart() + tensor.offset() + offset;
    ByteBuffer bytes = target.asByteBuffer();
    try {
      while (bytes.hasRemaining()) {
        int read = channel.read(bytes, position + bytes.position());
        if (read < 0) {
          throw damaged(path, "it ends within " + VisibleText.quoted(tensor.name()));
        }
      }
    } catch (IOException e) {
      throw FileFailure.of("read", path, e);
    }
  }

  private static EngineException damaged(Path path, String what) {
    return new EngineException(
        FailureKind.RESULT, path + ": " + what, "Export the result again; itself it is sound.");
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw FileFailure.of("close", path, e);
    }
  }
}
