package io.cafeq.tools;

import java.util.List;

/**
 * A failure whose text names a step, and the step taken.
 *
 * @param name of the failure
 * @param provoke runs the command that fails
 * @param exitCode of that command
 * @param words of its remedy, which the step is taken from
 * @param follow does what the remedy says; the command that it ends with must succeed
 */
record Remedy(String name, Provoke provoke, int exitCode, List<String> words, Follow follow) {
  /** Makes the input and runs the command. */
  interface Provoke {
    CommandRun in(Place place) throws Exception;
  }

  /** Takes the step; {@code failed} is what was said. */
  interface Follow {
    CommandRun in(Place place, CommandRun failed) throws Exception;
  }

  @Override
  public String toString() {
    return name;
  }
}
