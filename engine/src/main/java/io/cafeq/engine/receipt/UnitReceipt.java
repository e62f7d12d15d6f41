package io.cafeq.engine.receipt;

import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A unit whose file is complete on disk under its final name.
 *
 * @param file path relative to the output folder, {@code units/ID.arrow}
 * @param bytes length of the file
 * @param sha256 of the whole file, lower-case hexadecimal
 * @param sources SHA-256 of each source tensor's bytes, by tensor name
 * @param kernel the backend and CPU kernel that made it, such as {@code nd4j/SkylakeX}
 * @param figures null for copied units
 * @param seconds time that the worker took; 0 where the unit was found complete
 */
public record UnitReceipt(
    String id,
    String file,
    long bytes,
    String sha256,
    SortedMap<String, String> sources,
    String kernel,
    @Nullable UnitFigures figures,
    double seconds) {
  public UnitReceipt {
    sources = new TreeMap<>(sources);
  }
}
