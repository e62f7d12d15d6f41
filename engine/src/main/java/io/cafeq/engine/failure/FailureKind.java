package io.cafeq.engine.failure;

/** Who has to act on a failure. */
public enum FailureKind {
  /** The request itself: options, recipe, folders that overlap. */
  USAGE,
  /** The checkpoint is at fault: damaged, inconsistent, or with NaN or infinite weights. */
  CHECKPOINT,
  /**
   * Something around the program: a full disk, a folder that cannot be written, too little memory.
   */
  ENVIRONMENT,
  /** The written result is not what it should be. */
  RESULT,
  /** The run was asked to stop. */
  STOPPED
}
