package io.cafeq.engine.export;

import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.failure.StopFlag;
import java.nio.file.Path;
import java.util.List;

/**
 * A format that results are exported to. Found by ServiceLoader: implement it with a public
 * constructor without arguments, and name the class in {@code
 * META-INF/services/io.cafeq.engine.export.ExportFormat}. Keeps no state, so that exports can run
 * at the same time.
 *
 * @param <O> the format's options, a type of its own; {@link NoOptions} where it has none
 */
public interface ExportFormat<O> {
  /** What users call it: lower-case letters, digits and hyphens. */
  String id();

  /** One sentence for people. */
  String description();

  /** The options that users can give, for help and messages. */
  List<ExportOption> options();

  /** Reads the options; throws with kind USAGE for a value that makes no sense. */
  O read(ExportOptions given);

  /**
   * Answers for every tensor of the result, before any work: whatever stands against the export is
   * in the answer. {@link Limit} has the answers that most formats need. Reads headers, not
   * weights.
   */
  ExportCheck check(ResultReader result, O options);

  /**
   * Writes the export. Called only where {@link #check} refused nothing.
   *
   * @param folder exists and is empty; gets its name once this returns, and is removed when this
   *     throws
   * @param stop to be checked at least once for each slab
   * @return what was written, counted while it was
   */
  Exported write(
      ResultReader result, Path folder, O options, StopFlag stop, ExportProgress progress);

  /**
   * Reads an export back, by nothing but its own files, and compares every tensor with the result
   * that it was made from. Called after {@link #write}, before the folder gets its name, and again
   * by {@code cafeq verify}. Throws with kind RESULT at the first difference.
   */
  void prove(ResultReader result, Path folder, O options, StopFlag stop);
}
