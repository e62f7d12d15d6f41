package io.cafeq.actors.job;

import io.cafeq.config.Settings;
import java.nio.file.Path;

/**
 * Asks for one checkpoint to be quantized into one folder. The same request begins, continues and
 * confirms: what an earlier run of the same recipe and source left in the folder counts.
 *
 * @param model location of a checkpoint
 * @param output a folder to create, an empty one, or one that an earlier run of the same job left
 * @param priority lanes serve a higher number first; jobs of the same share them evenly
 */
public record JobRequest(String model, Path output, Settings settings, int priority) {
  /** With the usual priority. */
  public JobRequest(String model, Path output, Settings settings) {
    this(model, output, settings, 0);
  }
}
