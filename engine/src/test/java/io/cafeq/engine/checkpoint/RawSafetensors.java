package io.cafeq.engine.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Safetensors files made by hand, sound or not. */
public final class RawSafetensors {
  private RawSafetensors() {}

  /** A file with that header text, as it is, and that data. */
  public static byte[] bytes(String header, byte[] data) {
    return bytes(header.getBytes(StandardCharsets.UTF_8), data);
  }

  public static byte[] bytes(byte[] header, byte[] data) {
    return ByteBuffer.allocate(8 + header.length + data.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(header.length)
        .put(header)
        .put(data)
        .array();
  }

  /** Writes model.safetensors with that header and so many zero bytes of data. */
  public static Path write(Path folder, String header, int dataBytes) throws IOException {
    return write(folder, CheckpointFiles.SINGLE, header, new byte[dataBytes]);
  }

  public static Path write(Path folder, String file, String header, byte[] data)
      throws IOException {
    return Files.write(folder.resolve(file), bytes(header, data));
  }

  /** One header entry with its quoted name. */
  public static String entry(String name, String dtype, String shape, long begin, long end) {
    return "\""
        + name
        + "\":{\"dtype\":\""
        + dtype
        + "\",\"shape\":"
        + shape
        + ",\"data_offsets\":["
        + begin
        + ","
        + end
        + "]}";
  }
}
