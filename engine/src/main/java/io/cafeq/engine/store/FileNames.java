package io.cafeq.engine.store;

import io.cafeq.engine.text.VisibleText;
import java.util.stream.Stream;

/** Checks names of files that come from untrusted text. */
public final class FileNames {
  private FileNames() {}

  /** A file name without any way out of its folder. */
  public static boolean isPlain(String name) {
    return !name.isEmpty()
        && !name.equals(".")
        && !name.equals("..")
        && name.codePoints()
            .noneMatch(
                c ->
                    c == '/' || c == '\\' || c == 0 || Character.getType(c) == Character.SURROGATE);
  }

  /** Plain names with {@code /} between them. */
  public static boolean isInside(String name) {
    return Stream.of(name.split("/", -1)).allMatch(FileNames::isPlain);
  }

  /** Returns the name, or fails where it could lead out of the store. */
  static String require(String name, CheckpointStore store) {
    return require(name, store.location());
  }

  /** The same for a store at that location. */
  public static String require(String name, String location) {
    if (!isInside(name)) {
      throw StoreException.checkpoint(
          location,
          "expected the name of a file inside, found " + VisibleText.quoted(name),
          "Do not use this checkpoint unless you trust its origin; a sound one names files of its"
              + " own folder.");
    }
    return name;
  }
}
