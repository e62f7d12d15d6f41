package io.cafeq.engine.export.gguf;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.text.VisibleText;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * Reads a written file back and compares all of it with the result: every key, and every weight bit
 * for bit.
 */
final class GgufProof {
  private final Path path;
  private final SourceRows rows;
  private final StopFlag stop;

  GgufProof(Path path, SourceRows rows, StopFlag stop) {
    this.path = path;
    this.rows = rows;
    this.stop = stop;
  }

  /** Kind RESULT where the file says something else. */
  void check(Map<String, GgufValue> values, List<Outgoing> tensors) {
    try (GgufFile file = GgufFile.open(path)) {
      if (!file.values().equals(values) || file.tensors().size() != tensors.size()) {
        throw unlike("its keys");
      }
      for (Outgoing tensor : tensors) {
        GgufTensor found = file.tensors().get(tensor.name());
        if (found == null
            || !found.shape().equals(tensor.shape())
            || found.type() != tensor.type()) {
          throw unlike(VisibleText.quoted(tensor.name()));
        }
        check(file, found, tensor);
      }
    }
  }

  private void check(GgufFile file, GgufTensor found, Outgoing tensor) {
    long offset = 0;
    for (Outgoing.Part part : tensor.parts()) {
      int chunk = SourceRows.chunk(part);
      int columns = part.columns();
      long rowBytes = tensor.type().bytesOf(columns);
      float[] expected = new float[chunk * columns];
      float[] row = new float[columns];
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment piece = arena.allocate(chunk * rowBytes, Long.BYTES);
        for (long first = 0; first < part.rows(); first += chunk) {
          stop.check();
          int count = (int) Math.min(chunk, part.rows() - first);
          file.read(found, offset, piece.asSlice(0, count * rowBytes));
          offset += count * rowBytes;
          rows.values(part, first, count, expected);
          for (int r = 0; r < count; r++) {
            int place = part.head() > 0 ? Outgoing.placeInHead(r, part.head()) : r;
            BlockDecoder.decode(tensor.type(), piece, place * rowBytes, columns, row);
            for (int c = 0; c < columns; c++) {
              if (Float.floatToRawIntBits(row[c])
                  != Float.floatToRawIntBits(expected[r * columns + c])) {
                throw unlike(
                    "%s [%d, %d]".formatted(VisibleText.quoted(tensor.name()), first + r, c));
              }
            }
          }
        }
      }
    }
  }

  private EngineException unlike(String what) {
    return new EngineException(
        FailureKind.RESULT,
        path + ": " + what + " is not what the result holds",
        "Export the result again into another folder.");
  }
}
