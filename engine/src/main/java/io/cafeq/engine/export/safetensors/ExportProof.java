package io.cafeq.engine.export.safetensors;

import io.cafeq.engine.block.RawTensors;
import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.grid.GridValues;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.text.VisibleText;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;

/**
 * Reads an export back and compares it with its result: packed matrices decoded to the same floats,
 * bit for bit, every other tensor with the same bytes. Memory: a slab of floats.
 */
record ExportProof(SafetensorsExport export, PackedReader reader) {
  private static final int ROWS = 64;

  /** Kind RESULT at the first difference. */
  void check(ResultReader result, Path folder, StopFlag stop) {
    DenseContents contents =
        DenseContents.of(
            export.held(result),
            export.layouts(),
            export.packing(),
            result.config(),
            new RawTensors(result));
    Set<String> decoded = new HashSet<>();
    try (Checkpoint written = Checkpoint.open(folder);
        Arena arena = Arena.ofConfined()) {
      DenseWeights weights = new DenseWeights(result, new WeightEncoder(arena), folder, stop);
      for (Entry entry : contents.entries()) {
        stop.check();
        DenseTensors.Outgoing tensor = contents.tensors().tensor(entry.name());
        if (tensor.part() == null || result.header(tensor.source()).isRaw()) {
          bytes(weights, tensor, written);
        } else if (decoded.add(tensor.source())) {
          decode(result, tensor.source(), written, stop);
        }
      }
    }
  }

  private static void bytes(
      DenseWeights weights, DenseTensors.Outgoing tensor, Checkpoint written) {
    String name = tensor.entry().name();
    TensorInfo info = written.tensor(name).orElseThrow(() -> unlike(written, name));
    if (!Entry.of(info).equals(tensor.entry())) {
      throw unlike(written, name);
    }
    long[] at = {0};
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment[] room = {MemorySegment.NULL};
      weights.give(
          tensor,
          piece -> {
            if (room[0].byteSize() < piece.byteSize()) {
              room[0] = arena.allocate(piece.byteSize(), 64);
            }
            MemorySegment read = room[0].asSlice(0, piece.byteSize());
            written.read(info, at[0], read);
            if (read.mismatch(piece) >= 0) {
              throw unlike(written, name);
            }
            at[0] += piece.byteSize();
          });
    }
  }

  private void decode(ResultReader result, String source, Checkpoint written, StopFlag stop) {
    TensorHeader header = result.header(source);
    String name = export.packing().name(source);
    int columns = header.columns();
    float[] expected = new float[columns];
    float[] found = new float[columns];
    try (Arena arena = Arena.ofConfined()) {
      FloatMatrix rows = FloatMatrix.allocate(arena, ROWS, columns);
      result.forEachStored(
          source,
          0,
          header.allRows(),
          (first, coding, slab) -> {
            GridValues values = new GridValues(slab);
            for (int done = 0; done < slab.rows(); done += ROWS) {
              stop.check();
              int count = Math.min(ROWS, slab.rows() - done);
              FloatMatrix part = rows.slice(0, count);
              reader.read(written, name, columns, Math.toIntExact(first + done), part);
              for (int i = 0; i < count; i++) {
                values.read(done + i, 0, columns, expected);
                MemorySegment.copy(
                    part.segment(),
                    ValueLayout.JAVA_FLOAT,
                    (long) Float.BYTES * i * columns,
                    found,
                    0,
                    columns);
                if (!Arrays.equals(expected, found)) {
                  throw unlike(written, name);
                }
              }
            }
          });
    }
  }

  private static EngineException unlike(Checkpoint written, String tensor) {
    return new EngineException(
        FailureKind.RESULT,
        written.location() + ": tensor " + VisibleText.quoted(tensor) + " is not the result's",
        "Export the result again into another folder. If it happens again, report it.");
  }
}
