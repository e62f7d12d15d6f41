package io.cafeq.engine.export.toy;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Decodes what {@link ToyFormat} wrote, by docs/format.md alone and with nothing of the engine.
 *
 * @param weights effective weights by tensor, [rows of all experts, columns]
 * @param raw bytes of tensors that are not quantized
 * @param seen storages, formats of transforms and their sides, and "exponents"
 */
record ToyFile(Map<String, float[][]> weights, Map<String, byte[]> raw, Set<String> seen) {
  private record Block(boolean output, int first, int k, String format, float[] inverse) {}

  /** Rows that are coded alike, by the key of their transform; empty for none. */
  private record Rows(int first, int count, String key) {}

  static ToyFile read(Path folder) throws IOException {
    ToyFile file = new ToyFile(new LinkedHashMap<>(), new LinkedHashMap<>(), new HashSet<>());
    try (DataInputStream in =
        new DataInputStream(
            new BufferedInputStream(Files.newInputStream(folder.resolve(ToyFormat.FILE))))) {
      for (ToyFormat.Mark mark = mark(in); mark != ToyFormat.Mark.END; mark = mark(in)) {
        String name = in.readUTF();
        if (mark == ToyFormat.Mark.RAW) {
          file.raw.put(name, in.readNBytes(in.readInt()));
        } else {
          file.weights.put(name, file.matrix(in));
        }
      }
    }
    return file;
  }

  private float[][] matrix(DataInputStream in) throws IOException {
    float[][] values = new float[in.readInt()][in.readInt()];
    Map<String, List<Block>> blocks = new LinkedHashMap<>();
    List<Rows> all = new ArrayList<>();
    int next = 0;
    for (ToyFormat.Mark mark = mark(in); mark != ToyFormat.Mark.END; mark = mark(in)) {
      if (mark == ToyFormat.Mark.BLOCK) {
        blocks.computeIfAbsent(in.readUTF(), key -> new ArrayList<>()).add(block(in));
      } else {
        Rows rows = slab(in, values);
        if (rows.first() != next) {
          throw new IOException("row " + next + " should follow, found " + rows.first());
        }
        next += rows.count();
        all.add(rows);
      }
    }
    if (next != values.length) {
      throw new IOException(next + " rows, not " + values.length);
    }
    for (Rows rows : all) {
      for (Block block : blocks.getOrDefault(rows.key(), List.of())) {
        if (!block.output()) {
          for (int row = rows.first(); row < rows.first() + rows.count(); row++) {
            float[] column = new float[block.k()];
            System.arraycopy(values[row], block.first(), column, 0, block.k());
            System.arraycopy(product(block, column), 0, values[row], block.first(), block.k());
          }
        }
      }
    }
    for (List<Block> each : blocks.values()) {
      each.stream().filter(Block::output).forEach(block -> mixRows(block, values));
    }
    return values;
  }

  private static void mixRows(Block block, float[][] values) {
    for (int column = 0; column < values[0].length; column++) {
      float[] vector = new float[block.k()];
      for (int j = 0; j < block.k(); j++) {
        vector[j] = values[block.first() + j][column];
      }
      float[] mixed = product(block, vector);
      for (int i = 0; i < block.k(); i++) {
        values[block.first() + i][column] = mixed[i];
      }
    }
  }

  private static float[] product(Block block, float[] vector) {
    int k = block.k();
    float[] result = new float[k];
    if (block.format().equals("HADAMARD")) {
      for (int distance = 1; distance < k; distance *= 2) {
        for (int i = 0; i < k; i++) {
          if ((i & distance) == 0) {
            float sum = vector[i] + vector[i + distance];
            vector[i + distance] = vector[i] - vector[i + distance];
            vector[i] = sum;
          }
        }
      }
      for (int i = 0; i < k; i++) {
        result[i] = vector[i] * block.inverse()[i];
      }
      return result;
    }
    for (int i = 0; i < k; i++) {
      float sum = block.inverse()[i * k] * vector[0];
      for (int j = 1; j < k; j++) {
        sum += block.inverse()[i * k + j] * vector[j];
      }
      result[i] = sum;
    }
    return result;
  }

  private Block block(DataInputStream in) throws IOException {
    boolean output = in.readUTF().equals("output");
    int first = in.readInt();
    int k = in.readInt();
    String format = in.readUTF();
    byte[] data = in.readNBytes(in.readInt());
    seen.add(format);
    seen.add(output ? "output" : "input");
    float[] inverse = new float[format.equals("HADAMARD") ? k : k * k];
    switch (format) {
      case "INT8" -> {
        float[] scales = new float[k];
        for (int j = 0; j < k; j++) {
          scales[j] = Float.float16ToFloat(in.readShort());
        }
        for (int i = 0; i < k * k; i++) {
          inverse[i] = data[i] * scales[i % k];
        }
      }
      case "BF16" -> {
        for (int i = 0; i < k * k; i++) {
          inverse[i] = Float.intBitsToFloat(half(data, i) << 16);
        }
      }
      case "HADAMARD" -> {
        float factor = (float) (1 / Math.sqrt(k));
        for (int i = 0; i < k; i++) {
          inverse[i] = bits(data, 0, i, 1) == 1 ? -factor : factor;
        }
      }
      default -> throw new IOException(format);
    }
    return new Block(output, first, k, format, inverse);
  }

  private Rows slab(DataInputStream in, float[][] values) throws IOException {
    int first = in.readInt();
    int rows = in.readInt();
    int bits = in.readByte();
    int columns = values[0].length;
    int group = in.readInt();
    int size = group == 0 ? columns : group;
    int groups = columns / size;
    String storage = in.readUTF();
    int scaleBits = in.readByte();
    String key = in.readUTF();
    byte[] codes = in.readNBytes(in.readInt());
    byte[] rowScales = in.readNBytes(in.readInt());
    byte[] scales = in.readNBytes(in.readInt());
    byte[] zeros = in.readNBytes(in.readInt());
    byte[] exponents = in.readNBytes(in.readInt());
    seen.add(storage);
    if (exponents.length > 0) {
      seen.add("exponents");
    }
    for (int row = 0; row < rows; row++) {
      float power = exponents.length == 0 ? 1 : Math.scalb(1f, exponents[row]);
      for (int column = 0; column < columns; column++) {
        int g = column / size;
        float scale =
            rowScales.length == 0
                ? Float.float16ToFloat((short) half(scales, row * groups + g)) * power
                : (float)
                    ((double) bits(scales, row * bytes(groups, scaleBits), g, scaleBits)
                        * Float.float16ToFloat((short) half(rowScales, row))
                        * power
                        / ((1 << scaleBits) - 1));
        int code = bits(codes, row * bytes(columns, bits), column, bits);
        values[first + row][column] =
            switch (storage) {
              case "symmetric" -> (code - ((1 << bits) - 1) / 2f) * scale;
              case "offset" ->
                  (code - bits(zeros, row * groups, g, 8) / (float) (1 << (8 - bits))) * scale;
              case "f16-minimum" ->
                  code * scale
                      + Float.float16ToFloat((short) half(zeros, row * groups + g)) * power;
              default -> (code - (float) bits(zeros, row * bytes(groups, bits), g, bits)) * scale;
            };
      }
    }
    return new Rows(first, rows, key);
  }

  private static ToyFormat.Mark mark(DataInputStream in) throws IOException {
    return ToyFormat.Mark.values()[in.readByte()];
  }

  private static int bytes(int count, int bits) {
    return (count * bits + 7) / 8;
  }

  /** Number {@code index} of a bit stream that begins at byte {@code from}. */
  private static int bits(byte[] data, int from, int index, int bits) {
    int value = 0;
    for (int bit = 0; bit < bits; bit++) {
      int at = index * bits + bit;
      value |= (data[from + at / 8] >> (at % 8) & 1) << bit;
    }
    return value;
  }

  private static int half(byte[] data, int index) {
    return (data[2 * index] & 0xFF) | (data[2 * index + 1] & 0xFF) << 8;
  }
}
