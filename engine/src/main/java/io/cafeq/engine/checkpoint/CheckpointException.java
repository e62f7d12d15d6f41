package io.cafeq.engine.checkpoint;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.store.StoreException;
import org.jspecify.annotations.Nullable;

/**
 * The checkpoint is at fault. The message names the file, the tensor where there is one, what was
 * expected and found.
 */
public final class CheckpointException extends EngineException {
  private static final long serialVersionUID = 1L;

  /** {@code remedy} is one sentence that says what the user can do. */
  public CheckpointException(String message, String remedy) {
    this(message, remedy, null);
  }

  public CheckpointException(String message, String remedy, @Nullable Throwable cause) {
    super(FailureKind.CHECKPOINT, message, remedy, cause);
  }

  /** A store's failure as one of the checkpoint, where that is at fault; else itself. */
  static EngineException of(StoreException failure) {
    return failure.kind() == FailureKind.CHECKPOINT
        ? new CheckpointException(String.valueOf(failure.getMessage()), failure.remedy(), failure)
        : failure;
  }
}
