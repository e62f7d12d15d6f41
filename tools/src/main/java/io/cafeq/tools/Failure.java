package io.cafeq.tools;

/** What a user is told of a failure: the process's exit code, what happened, and one sentence on what to do. */
record Failure(int code, String message, String remedy) {}
