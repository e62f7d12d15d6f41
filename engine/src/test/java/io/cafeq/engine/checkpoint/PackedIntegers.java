package io.cafeq.engine.checkpoint;

import io.cafeq.engine.checkpoint.LayoutSamples.Stored;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Integers packed into words, written from the format's description by way of big numbers. */
public final class PackedIntegers {
  private PackedIntegers() {}

  /** Signed codes of that many bits. */
  public static int[][] random(int rows, int columns, int bits, Random random) {
    int[][] codes = new int[rows][columns];
    for (int[] row : codes) {
      for (int i = 0; i < columns; i++) {
        row[i] = random.nextInt(1 << bits) - (1 << bits - 1);
      }
    }
    return codes;
  }

  /** Words of one line of codes. */
  private static List<Integer> words(int[] codes, int bits, boolean byWord) {
    int together = byWord ? 32 / bits : codes.length;
    List<Integer> words = new ArrayList<>();
    for (int first = 0; first < codes.length; first += together) {
      BigInteger stream = BigInteger.ZERO;
      int count = Math.min(together, codes.length - first);
      for (int i = 0; i < count; i++) {
        stream =
            stream.or(BigInteger.valueOf(codes[first + i] + (1L << bits - 1)).shiftLeft(i * bits));
      }
      for (int word = 0; word < (byWord ? 1 : (count * bits + 31) / 32); word++) {
        words.add(stream.shiftRight(32 * word).intValue());
      }
    }
    return words;
  }

  /** [rows, words] or [experts, rows, words]; {@code codes} has the rows of all experts. */
  public static Stored rows(String name, int[][] codes, int experts, int bits, boolean byWord) {
    List<Integer> all = new ArrayList<>();
    int width = 0;
    for (int[] row : codes) {
      List<Integer> words = words(row, bits, byWord);
      width = words.size();
      all.addAll(words);
    }
    return stored(name, all, experts, codes.length / Math.max(1, experts), width);
  }

  /** The same packed along the rows: [words, columns] for each expert. */
  public static Stored columns(String name, int[][] codes, int experts, int bits, boolean byWord) {
    int matrices = Math.max(1, experts);
    int rows = codes.length / matrices;
    int columns = codes[0].length;
    List<Integer> all = new ArrayList<>();
    int height = 0;
    for (int expert = 0; expert < matrices; expert++) {
      List<List<Integer>> packed = new ArrayList<>();
      for (int column = 0; column < columns; column++) {
        int[] line = new int[rows];
        for (int row = 0; row < rows; row++) {
          line[row] = codes[expert * rows + row][column];
        }
        packed.add(words(line, bits, byWord));
      }
      height = packed.getFirst().size();
      for (int word = 0; word < height; word++) {
        for (List<Integer> line : packed) {
          all.add(line.get(word));
        }
      }
    }
    return stored(name, all, experts, height, columns);
  }

  private static Stored stored(
      String name, List<Integer> words, int experts, int rows, int columns) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * words.size()).order(ByteOrder.LITTLE_ENDIAN);
    words.forEach(bytes::putInt);
    List<Long> shape =
        experts == 0
            ? List.of((long) rows, (long) columns)
            : List.of((long) experts, (long) rows, (long) columns);
    return new Stored(name, Dtype.I32, shape, bytes.array());
  }

  /** A vector of I32. */
  public static Stored ints(String name, int[] values) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    for (int value : values) {
      bytes.putInt(value);
    }
    return new Stored(name, Dtype.I32, List.of((long) values.length), bytes.array());
  }

  /** A vector of I64. */
  public static Stored longs(String name, List<Long> values) {
    ByteBuffer bytes = ByteBuffer.allocate(8 * values.size()).order(ByteOrder.LITTLE_ENDIAN);
    values.forEach(bytes::putLong);
    return new Stored(name, Dtype.I64, List.of((long) values.size()), bytes.array());
  }
}
