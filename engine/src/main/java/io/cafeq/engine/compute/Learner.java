package io.cafeq.engine.compute;

import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.MemoryNeed;
import java.util.List;

/**
 * Learns transforms, a batch at a time. One instance serves all lanes of the process; thread-safe.
 * The same task gives the same answer in any batch.
 */
public interface Learner {
  /** Short name: {@code scalar}, {@code nd4j}, or that of a device. */
  String id();

  /** What decides the bits of what is learned. Kept in the manifest with the backend's. */
  String kernel();

  /** One line for people: library or device, and version. */
  String description();

  /**
   * Whether answers are worked on while the caller does something else. Then what {@link #need}
   * says is held from {@link #submit} on, else only while an answer is waited for.
   */
  boolean worksAhead();

  /** What a batch of such tasks takes at most, what reading them takes included. */
  MemoryNeed need(List<LearningShape> batch);

  /**
   * Asks for a batch: all blocks of one side of a stack, or all heads of a pair. Tasks are read on
   * the calling thread, here or in {@link Learning#next}, as many at a time as {@link #need} has
   * room for.
   *
   * @param stop polled at every step of learning
   */
  Learning submit(List<? extends LearningTask> batch, StopFlag stop);

  /**
   * Learns one task and waits for it; returns the learned M, row-major, one for a pair.
   *
   * @throws LearnerFailure where the learner fails
   */
  default List<double[]> learn(LearningTask task, StopFlag stop) {
    try (Learning learning = submit(List.of(task), stop)) {
      return learning.next().blocks();
    }
  }

  /** Offers a learner. */
  interface Provider extends ComputeProvider<Learner> {}
}
