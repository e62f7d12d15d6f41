package io.cafeq.engine.compute;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;

/** A learner failed while it worked on a unit. */
public final class LearnerFailure extends EngineException {
  private static final long serialVersionUID = 1L;

  private final boolean fallsBack;

  LearnerFailure(LearningAnswer.Failed failed) {
    super(FailureKind.ENVIRONMENT, "learning failed: " + failed.reason(), failed.remedy());
    fallsBack = failed.fallsBack();
  }

  /** Whether the unit may be learned on the CPU instead. */
  public boolean fallsBack() {
    return fallsBack;
  }
}
