package io.cafeq.engine.block;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.quantize.UnitFigures;
import java.nio.charset.StandardCharsets;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.zip.CRC32C;
import org.apache.arrow.vector.types.pojo.Schema;
import org.jspecify.annotations.Nullable;

/** The text that travels in a unit's file beside its rows: what the schema and the footer say, as sorted keys. */
final class UnitMetadata {
  static final String VERSION = "1.0";
  static final String FORMAT_VERSION = "cafeq.format_version";
  static final String UNIT = "cafeq.unit";
  static final String RECIPE_HASH = "cafeq.recipe_hash";
  static final String ALGORITHM_VERSION = "cafeq.algorithm_version";
  static final String KERNEL = "cafeq.kernel";
  static final String TENSORS = "cafeq.tensors";
  static final String SOURCES = "cafeq.sources";
  static final String FIGURES = "cafeq.figures";
  static final String CHECKSUM = "cafeq.metadata_crc32c";

  private UnitMetadata() {}

  /** Arrow copies metadata into a hash map of strings, whose order is the same in every process. */
  static Schema schema(UnitHeader header) {
    return new Schema(Column.all().stream().map(Column::field).toList(), header(header));
  }

  static SortedMap<String, String> header(UnitHeader header) {
    ArrayNode tensors = JsonNodeFactory.instance.arrayNode();
    header.tensors().forEach(tensor -> tensors.add(TensorJson.write(tensor)));
    SortedMap<String, String> metadata = new TreeMap<>();
    metadata.put(FORMAT_VERSION, VERSION);
    metadata.put(UNIT, header.id());
    metadata.put(RECIPE_HASH, header.identity().recipeHash());
    metadata.put(ALGORITHM_VERSION, Integer.toString(header.identity().algorithmVersion()));
    metadata.put(KERNEL, header.kernel());
    metadata.put(TENSORS, Json.compact(tensors));
    return metadata;
  }

  static SortedMap<String, String> footer(
      UnitHeader header, SortedMap<String, String> sources, @Nullable UnitFigures figures) {
    ObjectNode hashes = JsonNodeFactory.instance.objectNode();
    new TreeMap<>(sources).forEach(hashes::put);
    SortedMap<String, String> metadata = new TreeMap<>();
    metadata.put(SOURCES, Json.compact(hashes));
    if (figures != null) {
      JsonNode node = FiguresJson.write(figures);
      metadata.put(FIGURES, Json.compact(node));
    }
    metadata.put(CHECKSUM, Long.toString(checksum(header(header), metadata)));
    return metadata;
  }

  /**
   * CRC-32C over the schema's and then the footer's {@code cafeq.} entries without the checksum itself, each map by sorted
   * keys, every key and value in UTF-8 followed by a zero byte.
   */
  static long checksum(SortedMap<String, String> schema, SortedMap<String, String> footer) {
    CRC32C crc = new CRC32C();
    update(crc, schema);
    update(crc, footer);
    return crc.getValue();
  }

  private static void update(CRC32C crc, SortedMap<String, String> entries) {
    entries.forEach((key, value) -> {
      if (key.startsWith("cafeq.") && !key.equals(CHECKSUM)) {
        crc.update((key + '\0' + value + '\0').getBytes(StandardCharsets.UTF_8));
      }
    });
  }
}
