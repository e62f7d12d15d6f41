package io.cafeq.engine.store.http;

import io.cafeq.engine.store.StoreException;
import java.time.Duration;

/** What answers that are no content mean, and what to do. */
final class Refusals {
  private static final long LONGEST_WAIT_SECONDS = 300;

  private Refusals() {}

  /**
   * The failure of an answer that is neither content nor a redirect.
   *
   * @param hasToken whether a token was there to be sent
   */
  static StoreException of(Transport.Answer answer, String place, boolean hasToken) {
    String said = answer.address().getHost() + " answered " + answer.status();
    return switch (answer.status()) {
      case 401 ->
          StoreException.usage(
              place,
              said + ": who asks is not known, or there is no such model",
              hasToken
                  ? "Check the name, and set HF_TOKEN to a token that may read this model."
                  : "Check the name; for a private or gated model set HF_TOKEN to an access"
                      + " token.");
      case 403 ->
          StoreException.usage(
              place,
              said + ": access is denied",
              "Accept the model's conditions on its page, and set HF_TOKEN to a token that may read"
                  + " it.");
      case 404, 410 ->
          StoreException.checkpoint(
              place, "no such file: " + said, "Check the address and the revision.");
      case 412 -> changed(place, said + ": the file was changed while it was read");
      case 429 ->
          StoreException.busy(
              place,
              said + ": too many requests",
              "Wait some minutes and run the same command again, with a smaller --parallel-reads.",
              retryAfter(answer));
      case 408, 500, 502, 503, 504 ->
          StoreException.busy(
              place,
              said + ": the server is in trouble",
              "Run the same command again later; it continues.",
              retryAfter(answer));
      default ->
          StoreException.environment(
              place,
              said + ", expected content",
              "Check the address; the server may be of another kind.",
              null);
    };
  }

  /** The file is not the one that was opened. */
  static StoreException changed(String place, String how) {
    return StoreException.checkpoint(
        place,
        how,
        "Run the command again into another folder: the checkpoint is another one now. An"
            + " hf:// address with a commit as its revision never changes.");
  }

  /** The server's answer cannot be what was asked for. */
  static StoreException lie(String place, String what) {
    return StoreException.environment(
        place,
        what,
        "Use a server that answers requests for ranges, or download the checkpoint and give its"
            + " folder.",
        null);
  }

  private static Duration retryAfter(Transport.Answer answer) {
    String seconds = answer.header("Retry-After");
    return seconds.matches("\\d{1,9}")
        ? Duration.ofSeconds(Math.min(LONGEST_WAIT_SECONDS, Long.parseLong(seconds)))
        : Duration.ZERO;
  }
}
