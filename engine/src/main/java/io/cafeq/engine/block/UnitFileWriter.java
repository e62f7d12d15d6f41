package io.cafeq.engine.block;

import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.receipt.UnitFigures;
import io.cafeq.engine.transform.ColumnScales;
import io.cafeq.engine.transform.StoredTransform;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import org.apache.arrow.vector.ipc.WriteChannel;
import org.apache.arrow.vector.ipc.message.ArrowBlock;
import org.apache.arrow.vector.ipc.message.ArrowFooter;
import org.apache.arrow.vector.ipc.message.ArrowRecordBatch;
import org.apache.arrow.vector.ipc.message.MessageSerializer;
import org.apache.arrow.vector.types.pojo.Schema;
import org.jspecify.annotations.Nullable;

/**
 * Writes one unit's file, Arrow IPC file format, the same bytes for the same calls. Slabs and raw
 * bytes go to the channel from the memory where they are; transforms are gathered and go out
 * together. Not thread-safe; owns its channel and no other memory. Wrong arguments are
 * IllegalArgumentExceptions, a disk that fails is an ENVIRONMENT failure.
 */
public final class UnitFileWriter implements AutoCloseable {
  /** The most bytes that the payload of a slab or a raw row may have. */
  public static final long MAX_ROW_BYTES = 64L << 20;

  private static final byte[] MAGIC = "ARROW1".getBytes(StandardCharsets.US_ASCII);
  private static final long GATHERED_BYTES = 1L << 20;

  private final Path file;
  private final UnitHeader header;
  private final Schema schema;
  private final FileChannel channel;
  private final WriteChannel out;
  private final Map<String, Integer> names = new HashMap<>();
  private final List<ArrowBlock> dictionaryBlocks = new ArrayList<>();
  private final List<ArrowBlock> blocks = new ArrayList<>();
  private final List<Row> transforms = new ArrayList<>();
  private long transformBytes;
  private boolean finished;

  private UnitFileWriter(Path file, UnitHeader header, FileChannel channel) {
    this.file = file;
    this.header = header;
    this.channel = channel;
    this.out = new WriteChannel(channel);
    this.schema = UnitMetadata.schema(header);
    List<String> all = header.names();
    for (int i = 0; i < all.size(); i++) {
      names.put(all.get(i), i);
    }
  }

  /** Creates {@code partFile}, or empties it where it exists. */
  public static UnitFileWriter open(Path partFile, UnitHeader header) {
    FileChannel channel;
    try {
      channel =
          FileChannel.open(
              partFile,
              StandardOpenOption.CREATE,
              StandardOpenOption.WRITE,
              StandardOpenOption.TRUNCATE_EXISTING);
    } catch (IOException e) {
      throw FileFailure.of("write", partFile, e);
    }
    UnitFileWriter writer = new UnitFileWriter(partFile, header, channel);
    try {
      writer.begin();
    } catch (RuntimeException e) {
      writer.close();
      throw e;
    }
    return writer;
  }

  /** One block of the transform stored under {@code key}. */
  public void writeTransform(String key, StoredTransform transform) {
    Row row =
        Row.of(Column.Kind.TRANSFORM, key, index(key))
            .with(Column.SIDE, StoredNumbers.of(transform.side()))
            .with(Column.FIRST_CHANNEL, transform.firstChannel())
            .with(Column.K, transform.k())
            .with(Column.FORMAT, StoredNumbers.of(transform.format()))
            .with(Column.TRANSFORM_DATA, MemorySegment.ofArray(transform.data()))
            .with(Column.TRANSFORM_SCALES, halves(transform.scales()));
    transforms.add(row);
    transformBytes += row.payloadBytes();
    if (transformBytes >= GATHERED_BYTES) {
      flushTransforms();
    }
  }

  /** The column scales stored under {@code key}. */
  public void writeColumnScales(String key, ColumnScales scales) {
    write(
        Row.of(Column.Kind.COLUMN_SCALES, key, index(key))
            .with(Column.COLUMNS, scales.channels())
            .with(Column.RAW, MemorySegment.ofArray(scales.exponents())));
  }

  /**
   * Rows [firstRow, firstRow + slab.rows) of {@code tensor}; {@code expert} is -1 for a plain
   * matrix. The segments are borrowed during the call.
   */
  public void writeSlab(String tensor, int expert, long firstRow, EncodedSlab slab) {
    TensorHeader described = tensor(tensor);
    long first = described.overall(expert, firstRow);
    TensorHeader.Section section = described.sectionOf(first).orElse(null);
    if (section == null
        || first + slab.rows() > section.end()
        || !slab.grid().equals(section.coding().grid())) {
      throw new IllegalArgumentException(
          tensor
              + " was announced with "
              + section
              + ", not rows from "
              + first
              + " on with "
              + slab.grid());
    }
    writeExponents(tensor, expert, firstRow, slab);
    SlabLayout layout = SlabLayout.of(slab.grid(), slab.rows(), slab.columns());
    Row row =
        Row.of(Column.Kind.SLAB, tensor, index(tensor))
            .with(Column.EXPERT, expert)
            .with(Column.FIRST_ROW, firstRow)
            .with(Column.ROWS, slab.rows())
            .with(Column.COLUMNS, slab.columns())
            .with(Column.SQUARED_ERROR, Double.doubleToRawLongBits(slab.squaredError()))
            .with(Column.SQUARED_NORM, Double.doubleToRawLongBits(slab.squaredNorm()));
    layout.put(row, slab);
    write(row, slab.exponents());
  }

  private void writeExponents(String tensor, int expert, long firstRow, EncodedSlab slab) {
    if (slab.exponents().byteSize() > 0) {
      write(
          Row.of(Column.Kind.EXPONENTS, tensor, index(tensor))
              .with(Column.EXPERT, expert)
              .with(Column.FIRST_ROW, firstRow)
              .with(Column.ROWS, slab.rows())
              .with(Column.RAW, slab.exponents()));
    }
  }

  /**
   * Bytes [byteOffset, byteOffset + bytes.byteSize()) of a tensor that is not quantized; borrowed
   * during the call.
   */
  public void writeRaw(String tensor, long byteOffset, MemorySegment bytes) {
    if (!tensor(tensor).isRaw()) {
      throw new IllegalArgumentException(tensor + " was announced as " + tensor(tensor).content());
    }
    write(
        Row.of(Column.Kind.RAW, tensor, index(tensor))
            .with(Column.BYTE_OFFSET, byteOffset)
            .with(Column.RAW, bytes));
  }

  /**
   * Writes the footer, forces everything to the disk and closes the file.
   *
   * @param sourceHashes SHA-256 of each source tensor's bytes, by tensor name
   * @param figures null for copied units
   */
  public void finish(SortedMap<String, String> sourceHashes, @Nullable UnitFigures figures) {
    flushTransforms();
    try {
      out.writeIntLittleEndian(MessageSerializer.IPC_CONTINUATION_TOKEN);
      out.writeIntLittleEndian(0);
      long start = out.getCurrentPosition();
      SortedMap<String, String> metadata = UnitMetadata.footer(header, sourceHashes, figures);
      out.write(new ArrowFooter(schema, dictionaryBlocks, blocks, metadata), false);
      out.writeIntLittleEndian((int) (out.getCurrentPosition() - start));
      out.write(MAGIC);
      channel.force(true);
      channel.close();
      finished = true;
    } catch (IOException e) {
      throw FileFailure.of("write", file, e);
    }
  }

  /** Bytes written so far. */
  public long bytesWritten() {
    return out.getCurrentPosition();
  }

  /** Without {@link #finish} before it, gives the file up and deletes it. */
  @Override
  public void close() {
    if (finished) {
      return;
    }
    try {
      channel.close();
      Files.deleteIfExists(file);
    } catch (IOException e) {
      throw FileFailure.of("write", file, e);
    }
  }

  private void begin() {
    try (Arena arena = Arena.ofConfined()) {
      out.write(MAGIC);
      out.align();
      MessageSerializer.serialize(out, schema);
      dictionaryBlocks.add(MessageSerializer.serialize(out, RowBatch.names(arena, header.names())));
    } catch (IOException e) {
      throw FileFailure.of("write", file, e);
    }
  }

  private void write(Row row) {
    write(row, MemorySegment.NULL);
  }

  private void write(Row row, MemorySegment exponents) {
    if (row.payloadBytes() > MAX_ROW_BYTES) {
      throw new IllegalArgumentException(
          row.name() + ": a row of " + row.payloadBytes() + " bytes is too large");
    }
    flushTransforms();
    write(List.of(row), exponents);
  }

  private void flushTransforms() {
    if (!transforms.isEmpty()) {
      write(transforms, MemorySegment.NULL);
      transforms.clear();
      transformBytes = 0;
    }
  }

  private void write(List<Row> rows, MemorySegment exponents) {
    rows.forEach(row -> row.with(Column.CRC32C, row.checksum(exponents)));
    try (Arena arena = Arena.ofConfined();
        ArrowRecordBatch batch = RowBatch.of(arena, rows)) {
      blocks.add(MessageSerializer.serialize(out, batch));
    } catch (IOException e) {
      throw FileFailure.of("write", file, e);
    }
  }

  private int index(String name) {
    Integer index = names.get(name);
    if (index == null) {
      throw new IllegalArgumentException("unit " + header.id() + " did not announce " + name);
    }
    return index;
  }

  private TensorHeader tensor(String name) {
    return header.tensors().get(index(name));
  }

  private static MemorySegment halves(short[] values) {
    MemorySegment bytes = MemorySegment.ofArray(new byte[2 * values.length]);
    MemorySegment.copy(
        values,
        0,
        bytes,
        ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN),
        0,
        values.length);
    return bytes;
  }
}
