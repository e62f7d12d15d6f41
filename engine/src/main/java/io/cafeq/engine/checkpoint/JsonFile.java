package io.cafeq.engine.checkpoint;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.cafeq.engine.store.CheckpointStore;
import io.cafeq.engine.store.StoreException;
import io.cafeq.engine.store.StoredFile;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.util.Locale;
import java.util.Optional;

/** Reads config.json and the other small descriptions beside the weights. */
final class JsonFile {
  static final String CONFIG = "config.json";
  private static final long LARGEST = 16L << 20;

  private JsonFile() {}

  /** The object in the file of that name; an empty one where there is no file. */
  static JsonNode read(CheckpointStore store, String name) {
    Optional<StoredFile> file = store.find(name);
    if (file.isEmpty()) {
      return JsonNodeFactory.instance.objectNode();
    }
    String place = store.place(name);
    String renew = "Download " + file.get().fileName() + " again, or fix it.";
    if (!file.get().isFile()) {
      throw new CheckpointException(
          place
              + ": expected a file, found "
              + (file.get().isFolder() ? "a folder" : "something else"),
          renew);
    }
    if (file.get().size() > LARGEST) {
      throw new CheckpointException(
          place + ": has " + file.get().size() + " bytes, at most " + LARGEST + " are read", renew);
    }
    try {
      JsonNode config = JsonText.tree(store.read(name, LARGEST));
      if (!config.isObject()) {
        throw new CheckpointException(
            place
                + ": expected a JSON object, found "
                + (config.isMissingNode()
                    ? "nothing"
                    : config.getNodeType().name().toLowerCase(Locale.ROOT)),
            renew);
      }
      return config;
    } catch (StoreException e) {
      if (e.getCause() instanceof AccessDeniedException) {
        throw new CheckpointException(
            place + ": permission to read it is denied",
            "Allow yourself to read it, such as with \"chmod u+r\" on the file and what it links"
                + " to.",
            e);
      }
      throw e;
    } catch (JsonProcessingException e) {
      throw new CheckpointException(place + ": is not JSON: " + JsonText.fault(e), renew, e);
    } catch (IOException e) {
      throw new CheckpointException(place + ": cannot be read as JSON", renew, e);
    }
  }
}
