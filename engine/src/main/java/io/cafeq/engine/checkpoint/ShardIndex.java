package io.cafeq.engine.checkpoint;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import io.cafeq.engine.store.CheckpointStore;
import io.cafeq.engine.store.FileNames;
import io.cafeq.engine.text.VisibleText;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * {@code model.safetensors.index.json}: which tensor is in which file.
 *
 * @param place where it was read, for messages
 * @param files tensor name to plain file name
 */
record ShardIndex(String place, Map<String, String> files) {
  private static final String RENEW = "Download the index again; it must belong to these files.";

  private static final int MOST_KEYS = 64;

  ShardIndex {
    files = Collections.unmodifiableMap(files);
  }

  /**
   * Reads the index. {@code metadata.total_size} is not held against it: published models often
   * have it wrong.
   */
  static ShardIndex read(CheckpointStore store, String name) {
    String place = store.place(name);
    try (ShardFile file = ShardFile.open(store, name)) {
      if (file.length() > SafetensorsHeader.LARGEST) {
        throw new CheckpointException(
            place
                + ": the index has "
                + file.length()
                + " bytes, at most "
                + SafetensorsHeader.LARGEST
                + " are read",
            RENEW);
      }
      try (JsonParser json = JsonText.parserAsPython(file.stream(0, file.length()))) {
        return new ShardIndex(place, parse(place, json));
      }
    } catch (CharacterCodingException e) {
      throw new CheckpointException(place + ": the index is not UTF-8", RENEW, e);
    } catch (JsonProcessingException e) {
      throw new CheckpointException(
          place + ": the index is not JSON: " + JsonText.fault(e), RENEW, e);
    } catch (IOException e) {
      throw new CheckpointException(place + ": the index cannot be read", RENEW, e);
    }
  }

  private static Map<String, String> parse(String place, JsonParser json) throws IOException {
    if (json.nextToken() != JsonToken.START_OBJECT) {
      throw new CheckpointException(
          place + ": the index must be an object, found " + JsonText.found(json), RENEW);
    }
    Map<String, String> files = null;
    Set<String> keys = new HashSet<>();
    HeaderBudget budget = new HeaderBudget();
    while (json.nextToken() == JsonToken.FIELD_NAME) {
      String key = json.currentName();
      if (keys.size() == MOST_KEYS) {
        throw new CheckpointException(
            place + ": the index has more than " + MOST_KEYS + " keys", RENEW);
      }
      if (!keys.add(key)) {
        throw new CheckpointException(
            place + ": duplicate key " + VisibleText.quoted(key) + " in the index", RENEW);
      }
      json.nextToken();
      if (key.equals("weight_map")) {
        files = weightMap(place, json, budget);
      } else {
        json.skipChildren();
      }
    }
    if (json.nextToken() != null) {
      throw new CheckpointException(
          place + ": nothing may follow the index, found " + JsonText.found(json), RENEW);
    }
    if (files == null || files.isEmpty()) {
      throw new CheckpointException(place + ": weight_map is missing or empty", RENEW);
    }
    return files;
  }

  private static Map<String, String> weightMap(String place, JsonParser json, HeaderBudget budget)
      throws IOException {
    if (json.currentToken() != JsonToken.START_OBJECT) {
      throw new CheckpointException(
          place + ": weight_map must be an object, found " + JsonText.found(json), RENEW);
    }
    Map<String, String> files = new HashMap<>();
    Map<String, String> known = new HashMap<>();
    while (json.nextToken() == JsonToken.FIELD_NAME) {
      String tensor = json.currentName();
      budget.takeTensor(place, tensor);
      if (json.nextToken() != JsonToken.VALUE_STRING) {
        throw new CheckpointException(
            place
                + ": tensor "
                + VisibleText.quoted(tensor)
                + ": expected a file name, found "
                + JsonText.found(json),
            RENEW);
      }
      String name = json.getText();
      String file = known.get(name);
      if (file == null) {
        checkFileName(place, tensor, name);
        budget.takeText(place, name);
        known.put(name, name);
        file = name;
      }
      if (files.put(tensor, file) != null) {
        throw new CheckpointException(
            place + ": duplicate key " + VisibleText.quoted(tensor) + " in weight_map", RENEW);
      }
    }
    return files;
  }

  private static void checkFileName(String place, String tensor, String name) {
    if (!FileNames.isPlain(name)) {
      throw new CheckpointException(
          place
              + ": tensor "
              + VisibleText.quoted(tensor)
              + ": expected the plain name of a file in the same folder, found "
              + VisibleText.quoted(name),
          "Do not use this checkpoint unless you trust its origin; a sound index names files of its"
              + " own folder.");
    }
    if (!name.endsWith(".safetensors")) {
      throw new CheckpointException(
          place
              + ": tensor "
              + VisibleText.quoted(tensor)
              + ": expected a .safetensors file, found "
              + VisibleText.quoted(name),
          "Convert the checkpoint to safetensors.");
    }
  }

  /** The files in order. */
  SortedSet<String> fileNames() {
    return new TreeSet<>(files.values());
  }
}
