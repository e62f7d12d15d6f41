package io.cafeq.engine.compute;

/**
 * A batch that a learner was asked for. Belongs to the thread that asked; closing it gives up the
 * answers that were not taken.
 */
public interface Learning extends AutoCloseable {
  /**
   * Waits for the answer to the next task, in the order of the batch. Throws what reading a task
   * throws, and STOPPED.
   */
  LearningAnswer next();

  @Override
  void close();
}
