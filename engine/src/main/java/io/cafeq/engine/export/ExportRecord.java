package io.cafeq.engine.export;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.checkpoint.DurableFile;
import io.cafeq.engine.checkpoint.JsonText;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.result.ResultLayout;
import io.cafeq.engine.text.VisibleText;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * {@code cafeq-export.json}, the last file of an export: what was exported, how, and the checksum
 * of each file, its own included. The same result and options give the same bytes.
 *
 * @param format id of the format
 * @param options of the format that were given
 * @param resultSha256 of the result's manifest, which has the checksums of all that it consists of
 * @param files all others, by path with forward slashes
 */
public record ExportRecord(
    String format,
    SortedMap<String, String> options,
    String resultSha256,
    SortedMap<String, FileEntry> files) {
  /** Name of the file. */
  public static final String NAME = "cafeq-export.json";

  private static final String FORMAT = "format";
  private static final String OPTIONS = "options";
  private static final String RESULT = "result_sha256";
  private static final String FILES = "files";
  private static final String OWN = "sha256";
  private static final long LARGEST = 64L << 20;

  /** A file that was written. */
  public record FileEntry(long bytes, String sha256) {}

  /** Of the files that are there. */
  static ExportRecord of(ExportRequest request, Path folder, StopFlag stop) {
    SortedMap<String, FileEntry> files = new TreeMap<>();
    for (String path : paths(folder)) {
      files.put(path, entry(folder.resolve(path), stop));
    }
    return new ExportRecord(
        request.format(), new TreeMap<>(request.options()), result(request.result(), stop), files);
  }

  static String result(Path result, StopFlag stop) {
    return Digests.file(new ResultLayout(result).manifest(), stop);
  }

  static FileEntry entry(Path file, StopFlag stop) {
    try {
      return new FileEntry(Files.size(file), Digests.file(file, stop));
    } catch (IOException e) {
      throw FileFailure.of("read", file, e);
    }
  }

  /** All files of a folder but the record itself. */
  static List<String> paths(Path folder) {
    try (Stream<Path> all = Files.walk(folder)) {
      return all.filter(Files::isRegularFile)
          .map(file -> folder.relativize(file).toString().replace('\\', '/'))
          .filter(path -> !path.equals(NAME))
          .sorted()
          .toList();
    } catch (IOException e) {
      throw FileFailure.of("read", folder, e);
    }
  }

  void write(Path folder) {
    ObjectNode node = node();
    node.put(OWN, Digests.text(text(node)));
    DurableFile.write(folder.resolve(NAME), text(node).getBytes(StandardCharsets.UTF_8));
  }

  private ObjectNode node() {
    ObjectNode node = JsonNodeFactory.instance.objectNode();
    node.put(FORMAT, format);
    ObjectNode given = node.putObject(OPTIONS);
    options.forEach(given::put);
    node.put(RESULT, resultSha256);
    ArrayNode list = node.putArray(FILES);
    files.forEach(
        (path, file) ->
            list.addObject()
                .put("path", path)
                .put("bytes", file.bytes())
                .put("sha256", file.sha256()));
    return node;
  }

  private static String text(ObjectNode node) {
    return VisibleText.lines(node.toPrettyString()) + "\n";
  }

  /**
   * Reads the record of an export; empty where the folder has none. Kind RESULT where it is
   * damaged.
   */
  public static Optional<ExportRecord> read(Path folder) {
    Path file = folder.resolve(NAME);
    if (!Files.isRegularFile(file)) {
      return Optional.empty();
    }
    try {
      if (Files.size(file) > LARGEST) {
        throw damaged(file);
      }
      byte[] bytes = Files.readAllBytes(file);
      ExportRecord record = of(file, JsonText.tree(bytes));
      ObjectNode node = record.node();
      node.put(OWN, Digests.text(text(record.node())));
      if (!text(node).equals(new String(bytes, StandardCharsets.UTF_8))) {
        throw damaged(file);
      }
      return Optional.of(record);
    } catch (JsonProcessingException e) {
      throw damaged(file);
    } catch (IOException e) {
      throw FileFailure.of("read", file, e);
    }
  }

  private static ExportRecord of(Path file, JsonNode node) {
    if (!node.path(FORMAT).isTextual()
        || !node.path(RESULT).isTextual()
        || !node.path(FILES).isArray()) {
      throw damaged(file);
    }
    SortedMap<String, String> options = new TreeMap<>();
    node.path(OPTIONS)
        .fields()
        .forEachRemaining(option -> options.put(option.getKey(), option.getValue().asText()));
    SortedMap<String, FileEntry> files = new TreeMap<>();
    for (JsonNode entry : node.path(FILES)) {
      files.put(
          entry.path("path").asText(),
          new FileEntry(entry.path("bytes").asLong(), entry.path("sha256").asText()));
    }
    return new ExportRecord(node.path(FORMAT).asText(), options, node.path(RESULT).asText(), files);
  }

  /** What is wrong with the files, each a sentence; none where all are as they were written. */
  List<String> faults(Path folder, StopFlag stop) {
    List<String> faults = new ArrayList<>();
    List<String> present = paths(folder);
    files.forEach(
        (path, file) -> {
          Path at = folder.resolve(path).normalize();
          if (!at.startsWith(folder.normalize()) || !present.contains(path)) {
            faults.add("the file " + VisibleText.quoted(path) + " is missing");
          } else if (!entry(at, stop).equals(file)) {
            faults.add("the file " + VisibleText.quoted(path) + " is not the one that was written");
          }
        });
    present.stream()
        .filter(path -> !files.containsKey(path))
        .forEach(path -> faults.add("the file " + VisibleText.quoted(path) + " was added later"));
    return faults;
  }

  private static EngineException damaged(Path file) {
    return new EngineException(
        FailureKind.RESULT, file + " is damaged", "Export the result again into another folder.");
  }
}
