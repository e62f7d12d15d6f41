package io.cafeq.engine.block;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.DurableFile;
import io.cafeq.engine.checkpoint.JsonText;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.result.ResultLayout;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** {@code manifest.json}: sorted keys, two spaces, a line feed at the end. */
final class ManifestFile {
  private static final Pattern VERSION = Pattern.compile("(\\d{1,6})\\.(\\d{1,6})");

  /** A reader of 2.0 loses nothing that it needs to decode the units. */
  private static final String WITH_STATISTICS = UnitMetadata.MAJOR + ".1";

  private static final long LARGEST = 256L << 20;

  private ManifestFile() {}

  static void write(Path folder, Manifest manifest) {
    DurableFile.write(new ResultLayout(folder).manifest(), bytes(manifest));
  }

  static byte[] bytes(Manifest manifest) {
    return text(manifest).getBytes(StandardCharsets.UTF_8);
  }

  static Manifest read(Path folder) {
    ResultLayout layout = new ResultLayout(folder);
    Path file = layout.manifest();
    if (!Files.isRegularFile(file)) {
      boolean partial = Files.isDirectory(layout.units());
      throw new EngineException(
          FailureKind.RESULT,
          partial
              ? folder + " is a partial result: it has no " + ResultLayout.MANIFEST
              : folder + " is not a quantized result: it has no " + ResultLayout.MANIFEST,
          partial
              ? "Run the same quantize command again to finish it; "
                  + ResultLayout.REPORT
                  + " there says which units are missing."
              : "Give the folder that \"cafeq quantize --out\" wrote.");
    }
    Damage damage = new Damage(file);
    try {
      if (Files.size(file) > LARGEST) {
        throw damage.of("has " + Files.size(file) + " bytes, which is no manifest");
      }
      Manifest manifest = read(damage, new Fields("manifest", Json.parse(Files.readString(file))));
      ManifestCheck.check(damage, manifest);
      return manifest;
    } catch (JsonProcessingException e) {
      throw damage.of("is not JSON: " + JsonText.fault(e), e);
    } catch (Fields.Bad | ArithmeticException | IllegalArgumentException e) {
      throw damage.of(String.valueOf(e.getMessage()), e);
    } catch (IOException e) {
      throw damage.of("cannot be read: " + e, e);
    }
  }

  private static String text(Manifest manifest) {
    ObjectNode node = JsonNodeFactory.instance.objectNode();
    node.put(
        "format_version", manifest.statistics() == null ? UnitMetadata.VERSION : WITH_STATISTICS);
    node.put("algorithm_version", manifest.algorithmVersion());
    node.put("recipe", manifest.recipe());
    node.put("recipe_hash", manifest.recipeHash());
    strings(node.putArray("kernels"), List.copyOf(manifest.kernels()));
    ObjectNode source = node.putObject("source");
    source.put("name", manifest.source().name());
    source.put("config_sha256", manifest.source().configSha256());
    ArrayNode shards = source.putArray("shards");
    manifest
        .source()
        .shards()
        .forEach(shard -> shards.addObject().put("file", shard.file()).put("bytes", shard.bytes()));
    ArrayNode units = node.putArray("units");
    for (Manifest.UnitEntry unit : manifest.units()) {
      ObjectNode entry = units.addObject();
      entry.put("id", unit.id());
      entry.put("file", unit.file());
      entry.put("bytes", unit.bytes());
      entry.put("sha256", unit.sha256());
      entry.put("kernel", unit.kernel());
      strings(entry.putArray("tensors"), unit.tensors());
    }
    ArrayNode tensors = node.putArray("tensors");
    for (Manifest.TensorEntry tensor : manifest.tensors()) {
      ObjectNode entry = tensors.addObject();
      entry.put("name", tensor.name());
      entry.put("dtype", tensor.dtype().name());
      ArrayNode shape = entry.putArray("shape");
      tensor.shape().forEach(shape::add);
      entry.put("file", tensor.file());
      entry.put("unit", tensor.unit());
    }
    ObjectNode aliases = node.putObject("aliases");
    manifest.aliases().forEach(aliases::put);
    files(node.putArray("side_files"), manifest.sideFiles());
    putStatistics(node, manifest.statistics());
    node.putObject("totals")
        .put("weights", manifest.totals().weights())
        .put("quantized_weights", manifest.totals().quantizedWeights())
        .put("quantized_bits", manifest.totals().quantizedBits())
        .put("unit_bytes", manifest.totals().unitBytes());
    return Json.pretty(node);
  }

  /** Left out where there are none, as results without them have always been. */
  private static void putStatistics(ObjectNode node, Manifest.@Nullable Statistics statistics) {
    if (statistics != null) {
      ObjectNode entry = node.putObject("statistics");
      entry.put("asked", statistics.asked());
      entry.put("source", statistics.source());
      entry.put("tokens", statistics.tokens());
      entry.put("window", statistics.window());
      entry.put("tokens_sha256", statistics.tokensSha256());
      strings(entry.putArray("kernels"), List.copyOf(statistics.kernels()));
      files(entry.putArray("files"), statistics.files());
    }
  }

  private static void files(ArrayNode array, List<Manifest.SideFileEntry> files) {
    files.forEach(
        file ->
            array
                .addObject()
                .put("path", file.path())
                .put("bytes", file.bytes())
                .put("sha256", file.sha256()));
  }

  private static Manifest.@Nullable Statistics statistics(@Nullable Fields entry) {
    return entry == null
        ? null
        : new Manifest.Statistics(
            entry.text("asked"),
            entry.text("source"),
            entry.count("tokens"),
            entry.integer("window"),
            entry.text("tokens_sha256"),
            // which the first results with statistics do not say
            entry.node().has("kernels") ? new TreeSet<>(entry.texts("kernels")) : new TreeSet<>(),
            entry.list("files", ManifestFile::file));
  }

  private static Manifest.SideFileEntry file(Fields file) {
    return new Manifest.SideFileEntry(file.text("path"), file.count("bytes"), file.text("sha256"));
  }

  private static void strings(ArrayNode array, List<String> values) {
    values.forEach(array::add);
  }

  private static Manifest read(Damage damage, Fields fields) {
    String version = fields.text("format_version");
    Matcher matcher = VERSION.matcher(version);
    if (!matcher.matches()) {
      throw damage.of("format_version is \"" + version + "\"");
    }
    if (Integer.parseInt(matcher.group(1)) > UnitMetadata.MAJOR) {
      throw damage.newer(version);
    }
    Fields source = fields.object("source");
    Fields totals = fields.object("totals");
    SortedMap<String, String> aliases = new TreeMap<>();
    Fields tied = fields.object("aliases");
    tied.node().fieldNames().forEachRemaining(alias -> aliases.put(alias, tied.text(alias)));
    return new Manifest(
        fields.integer("algorithm_version"),
        fields.text("recipe"),
        fields.text("recipe_hash"),
        new TreeSet<>(fields.texts("kernels")),
        new Manifest.Source(
            source.text("name"),
            source.text("config_sha256"),
            source.list(
                "shards",
                shard -> new Manifest.ShardEntry(shard.text("file"), shard.count("bytes")))),
        fields.list(
            "units",
            unit ->
                new Manifest.UnitEntry(
                    unit.text("id"),
                    unit.text("file"),
                    unit.count("bytes"),
                    unit.text("sha256"),
                    unit.text("kernel"),
                    unit.texts("tensors"))),
        fields.list(
            "tensors",
            tensor ->
                new Manifest.TensorEntry(
                    tensor.text("name"),
                    tensor.choice("dtype", Dtype.class, Dtype::name),
                    tensor.longs("shape"),
                    tensor.text("file"),
                    tensor.text("unit"))),
        aliases,
        fields.list("side_files", ManifestFile::file),
        statistics(fields.optional("statistics")),
        new Manifest.Totals(
            totals.count("weights"),
            totals.count("quantized_weights"),
            totals.count("quantized_bits"),
            totals.count("unit_bytes")));
  }
}
