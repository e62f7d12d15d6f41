package io.cafeq.engine.block;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.config.ScaleStorage;
import io.cafeq.engine.grid.HalfType;
import io.cafeq.engine.receipt.JobIdentity;
import io.cafeq.engine.receipt.UnitFigures;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32C;
import org.apache.arrow.vector.types.pojo.Schema;
import org.jspecify.annotations.Nullable;

/**
 * The text that travels in a unit's file beside its rows: what the schema and the footer say, as
 * sorted keys.
 */
final class UnitMetadata {
  static final int MAJOR = 2;
  static final String VERSION = MAJOR + ".0";

  /** Of files with a layout that version 2.0 did not know. */
  static final String WITH_STATED_SHAPES = MAJOR + ".2";

  /** Of files with column scales, which version 2.2 did not know. */
  static final String WITH_COLUMN_SCALES = MAJOR + ".3";

  /** Of files with signed grids or bf16 scales, which version 2.3 did not know. */
  static final String WITH_SIGNED_GRIDS = MAJOR + ".4";

  static final String FORMAT_VERSION = "cafeq.format_version";
  static final String UNIT = "cafeq.unit";
  static final String RECIPE_HASH = "cafeq.recipe_hash";
  static final String ALGORITHM_VERSION = "cafeq.algorithm_version";
  static final String KERNEL = "cafeq.kernel";
  static final String TENSORS = "cafeq.tensors";
  static final String SOURCES = "cafeq.sources";
  static final String COUPLINGS = "cafeq.couplings";
  static final String FIGURES = "cafeq.figures";
  static final String CHECKSUM = "cafeq.metadata_crc32c";

  private static final Pattern VERSION_PATTERN = Pattern.compile("(\\d{1,6})\\.(\\d{1,6})");

  private UnitMetadata() {}

  /** What a file says beside its rows. */
  record Contents(
      UnitHeader header, SortedMap<String, String> sources, @Nullable UnitFigures figures) {}

  /** Checks version, columns, checksum and dictionary. */
  static Contents read(ArrowFile file) {
    Damage damage = file.damage();
    SortedMap<String, String> schema = file.schemaMetadata();
    SortedMap<String, String> footer = file.footerMetadata();
    String version = schema.get(FORMAT_VERSION);
    if (version == null) {
      throw damage.of(
          "is an Arrow file, but not one of a quantized unit: it has no " + FORMAT_VERSION);
    }
    Matcher matcher = VERSION_PATTERN.matcher(version);
    if (!matcher.matches()) {
      throw damage.of(FORMAT_VERSION + " is \"" + version + "\"");
    }
    if (Integer.parseInt(matcher.group(1)) > MAJOR) {
      throw damage.newer(version);
    }
    checkColumns(file);
    if (!Long.toString(checksum(schema, footer)).equals(footer.get(CHECKSUM))) {
      throw damage.of("the checksum of its metadata does not match");
    }
    try {
      UnitHeader header = header(schema);
      CouplingCheck.check(header);
      if (!header.names().equals(file.dictionary(Column.NAMES_DICTIONARY))) {
        throw damage.of("its dictionary of names differs from its header");
      }
      return new Contents(header, sources(footer), figures(footer));
    } catch (Fields.Bad
        | JsonProcessingException
        | IllegalArgumentException
        | ArithmeticException e) {
      throw damage.of(String.valueOf(e.getMessage()), e);
    }
  }

  /** Arrow copies metadata into a hash map of strings, whose order is the same in every process. */
  static Schema schema(UnitHeader header) {
    return new Schema(Column.all().stream().map(Column::field).toList(), header(header));
  }

  static SortedMap<String, String> header(UnitHeader header) {
    ArrayNode tensors = JsonNodeFactory.instance.arrayNode();
    header.tensors().forEach(tensor -> tensors.add(TensorJson.write(tensor)));
    SortedMap<String, String> metadata = new TreeMap<>();
    metadata.put(FORMAT_VERSION, version(header));
    metadata.put(UNIT, header.id());
    metadata.put(RECIPE_HASH, header.identity().recipeHash());
    metadata.put(ALGORITHM_VERSION, Integer.toString(header.identity().algorithmVersion()));
    metadata.put(KERNEL, header.kernel());
    metadata.put(TENSORS, Json.compact(tensors));
    if (!header.couplings().isEmpty()) {
      ArrayNode couplings = JsonNodeFactory.instance.arrayNode();
      header.couplings().forEach(coupling -> couplings.add(CouplingJson.write(coupling)));
      metadata.put(COUPLINGS, Json.compact(couplings));
    }
    return metadata;
  }

  /** The least that knows all that the file has. */
  private static String version(UnitHeader header) {
    if (header.tensors().stream()
        .flatMap(tensor -> tensor.sections().stream())
        .map(section -> section.coding().grid())
        .anyMatch(
            grid ->
                grid.storage() == ScaleStorage.SIGNED
                    || grid.storage().hasSuperBlocks()
                    || grid.halves() != HalfType.F16)) {
      return WITH_SIGNED_GRIDS;
    }
    if (header.tensors().stream()
        .flatMap(tensor -> tensor.sections().stream())
        .anyMatch(section -> section.coding().columnScales() != null)) {
      return WITH_COLUMN_SCALES;
    }
    return header.tensors().stream().anyMatch(tensor -> tensor.layout().statesShape())
        ? WITH_STATED_SHAPES
        : VERSION;
  }

  static SortedMap<String, String> footer(
      UnitHeader header, SortedMap<String, String> sources, @Nullable UnitFigures figures) {
    ObjectNode hashes = JsonNodeFactory.instance.objectNode();
    new TreeMap<>(sources).forEach(hashes::put);
    SortedMap<String, String> metadata = new TreeMap<>();
    metadata.put(SOURCES, Json.compact(hashes));
    if (figures != null) {
      metadata.put(FIGURES, Json.compact(FiguresJson.write(figures)));
    }
    metadata.put(CHECKSUM, Long.toString(checksum(header(header), metadata)));
    return metadata;
  }

  /**
   * CRC-32C over the schema's and then the footer's {@code cafeq.} entries without the checksum
   * itself, each map by sorted keys, every key and value in UTF-8 followed by a zero byte.
   */
  static long checksum(SortedMap<String, String> schema, SortedMap<String, String> footer) {
    CRC32C crc = new CRC32C();
    update(crc, schema);
    update(crc, footer);
    return crc.getValue();
  }

  private static void checkColumns(ArrowFile file) {
    List<String> expected =
        Column.all().stream()
            .map(Column::field)
            .map(field -> field.getName() + ":" + field.getType().getTypeID().getFlatbufID())
            .toList();
    List<String> found = file.columns();
    if (found.size() < expected.size() || !found.subList(0, expected.size()).equals(expected)) {
      throw file.damage().of("has the columns " + found + ", expected " + expected);
    }
  }

  private static UnitHeader header(SortedMap<String, String> schema)
      throws JsonProcessingException {
    ObjectNode node = JsonNodeFactory.instance.objectNode();
    schema.forEach(node::put);
    Fields fields = new Fields("schema", node);
    ObjectNode tensors = JsonNodeFactory.instance.objectNode();
    tensors.set(TENSORS, Json.parse(fields.text(TENSORS)));
    boolean coupled = schema.containsKey(COUPLINGS);
    if (coupled) {
      tensors.set(COUPLINGS, Json.parse(fields.text(COUPLINGS)));
    }
    Fields lists = new Fields("schema", tensors);
    return new UnitHeader(
        fields.text(UNIT),
        new JobIdentity(fields.text(RECIPE_HASH), Integer.parseInt(fields.text(ALGORITHM_VERSION))),
        fields.text(KERNEL),
        lists.list(TENSORS, TensorJson::read),
        coupled ? lists.list(COUPLINGS, CouplingJson::read) : List.of());
  }

  private static SortedMap<String, String> sources(SortedMap<String, String> footer)
      throws JsonProcessingException {
    SortedMap<String, String> sources = new TreeMap<>();
    Fields fields = new Fields(SOURCES, Json.parse(footer.getOrDefault(SOURCES, "")));
    fields.node().fieldNames().forEachRemaining(name -> sources.put(name, fields.text(name)));
    return sources;
  }

  private static @Nullable UnitFigures figures(SortedMap<String, String> footer)
      throws JsonProcessingException {
    String figures = footer.get(FIGURES);
    return figures == null ? null : FiguresJson.read(new Fields(FIGURES, Json.parse(figures)));
  }

  private static void update(CRC32C crc, SortedMap<String, String> entries) {
    entries.forEach(
        (key, value) -> {
          if (key.startsWith("cafeq.") && !key.equals(CHECKSUM)) {
            crc.update((key + '\0' + value + '\0').getBytes(StandardCharsets.UTF_8));
          }
        });
  }
}
