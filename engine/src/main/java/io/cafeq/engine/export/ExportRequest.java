package io.cafeq.engine.export;

import java.nio.file.Path;
import java.util.Map;

/**
 * What a user asks for.
 *
 * @param result the result's folder
 * @param format the format's id
 * @param target the folder to make, new or empty
 * @param options of the format, by name
 */
public record ExportRequest(Path result, String format, Path target, Map<String, String> options) {
  public ExportRequest {
    options = Map.copyOf(options);
  }
}
