package io.cafeq.engine.checkpoint;

import java.util.List;

/**
 * How much all headers of one checkpoint may put onto the heap together, some 200 MB at worst. The
 * format bounds a header by 100,000,000 bytes, but not the number of files. The largest published
 * models have about 150,000 tensors.
 */
final class HeaderBudget {
  static final int TENSORS = 400_000;
  static final int CHARACTERS = 32_000_000;
  static final int METADATA = 100_000;
  static final int DIMENSIONS = 4 * TENSORS;

  /** Of one tensor, which numpy too has as its limit. */
  static final int RANK = 64;

  private static final String REMEDY =
      "Check where this file comes from: no known model has such headers.";

  private int tensors;
  private int characters;
  private int metadata;
  private int dimensions;

  /** Takes the room for one tensor. */
  void takeTensor(String file, String name) {
    if (++tensors > TENSORS) {
      throw new CheckpointException(
          file + ": the checkpoint has more than " + TENSORS + " tensors", REMEDY);
    }
    takeText(file, name);
  }

  /** Takes the room for one tensor's shape. */
  void takeShape(String file, List<Long> shape) {
    dimensions += shape.size();
    if (dimensions > DIMENSIONS) {
      throw new CheckpointException(
          file
              + ": the tensors of the checkpoint have more than "
              + DIMENSIONS
              + " dimensions together",
          REMEDY);
    }
  }

  /** Takes the room for one entry of metadata. */
  void takeMetadata(String file, String key, String value) {
    if (++metadata > METADATA) {
      throw new CheckpointException(
          file + ": the checkpoint has more than " + METADATA + " entries in __metadata__", REMEDY);
    }
    takeText(file, key);
    takeText(file, value);
  }

  /** Takes the room for a name or a value. */
  void takeText(String file, String text) {
    characters += text.length();
    if (characters > CHARACTERS || characters < 0) {
      throw new CheckpointException(
          file
              + ": names and metadata of the checkpoint have more than "
              + CHARACTERS
              + " characters",
          REMEDY);
    }
  }
}
