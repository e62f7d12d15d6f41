package io.cafeq.engine.failure;

/** What is at fault, which decides the exit code. */
public enum FailureKind {
  /** The request itself: options, recipe, folders that overlap. */
  USAGE,
  /** The checkpoint is at fault: damaged, inconsistent, or with NaN or infinite weights. */
  CHECKPOINT,
  /** The machine: a full disk, a folder without write permission, too little memory. */
  ENVIRONMENT,
  /** The written result is damaged or incomplete. */
  RESULT,
  /** A stop was requested. */
  STOPPED
}
