package io.cafeq.tools;

import io.cafeq.engine.text.VisibleText;

/**
 * What a user is told of a failure: the process's exit code, what happened, and one sentence on
 * what to do.
 *
 * @param message of which only settings need several lines
 */
record Failure(int code, String message, String remedy) {
  Failure {
    message = VisibleText.lines(message);
    remedy = VisibleText.message(remedy);
  }
}
