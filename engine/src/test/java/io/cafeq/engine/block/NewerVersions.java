package io.cafeq.engine.block;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.IntVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.ipc.ArrowFileReader;
import org.apache.arrow.vector.ipc.ArrowFileWriter;

/** Files as a later version might write them, made with Arrow's own reader and writer. */
final class NewerVersions {
  private NewerVersions() {}

  /** Gives the file another version, one more column, and more keys in all metadata. */
  static void rewrite(Path file, String version) throws IOException {
    Path old = file.resolveSibling("old.arrow");
    Files.move(file, old);
    try (BufferAllocator allocator = new RootAllocator();
        FileChannel in = FileChannel.open(old);
        ArrowFileReader reader = new ArrowFileReader(in, allocator);
        FileChannel out =
            FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        IntVector later = new IntVector("later", allocator)) {
      VectorSchemaRoot root = reader.getVectorSchemaRoot();
      SortedMap<String, String> metadata = new TreeMap<>(root.getSchema().getCustomMetadata());
      metadata.put(UnitMetadata.FORMAT_VERSION, version);
      metadata.put("cafeq.later", "something");
      metadata.computeIfPresent(
          UnitMetadata.TENSORS,
          (key, text) -> text.replace("{\"bits\"", "{\"after\":[1],\"bits\""));
      SortedMap<String, String> footer = new TreeMap<>(reader.getMetaData());
      footer.put("cafeq.also_later", "more");
      footer.computeIfPresent(
          UnitMetadata.FIGURES, (key, text) -> text.replaceFirst("\\{", "{\"about\":{},"));
      footer.put(UnitMetadata.CHECKSUM, Long.toString(UnitMetadata.checksum(metadata, footer)));
      List<FieldVector> vectors = new ArrayList<>(root.getFieldVectors());
      vectors.add(later);
      VectorSchemaRoot wider =
          new VectorSchemaRoot(
              new org.apache.arrow.vector.types.pojo.Schema(
                  vectors.stream().map(FieldVector::getField).toList(), metadata),
              vectors,
              0);
      try (ArrowFileWriter writer = new ArrowFileWriter(wider, reader, out, footer)) {
        writer.start();
        while (reader.loadNextBatch()) {
          later.setValueCount(root.getRowCount());
          wider.setRowCount(root.getRowCount());
          writer.writeBatch();
        }
        writer.end();
      }
    }
  }
}
