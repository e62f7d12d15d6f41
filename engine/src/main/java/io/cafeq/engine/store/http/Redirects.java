package io.cafeq.engine.store.http;

import io.cafeq.engine.store.Location;
import io.cafeq.engine.store.StoreException;
import java.net.URI;
import java.util.Set;

/** Where answers send on to. */
final class Redirects {
  static final int MOST = 8;
  private static final Set<Integer> STATUSES = Set.of(301, 302, 303, 307, 308);

  private Redirects() {}

  static boolean is(Transport.Answer answer) {
    return STATUSES.contains(answer.status());
  }

  /** The next address: https, or on this machine where the first one was there too. */
  static URI next(Transport.Answer answer, String place) {
    URI next;
    try {
      next = answer.address().resolve(answer.header("Location"));
    } catch (IllegalArgumentException e) {
      throw refused(place, answer, "an address that is none");
    }
    if (answer.header("Location").isEmpty() || next.getHost() == null) {
      throw refused(place, answer, "nowhere");
    }
    boolean isSafe =
        "https".equalsIgnoreCase(next.getScheme())
            || "http".equalsIgnoreCase(next.getScheme())
                && "http".equalsIgnoreCase(answer.address().getScheme())
                && Location.isLoopback(next)
                && Location.isLoopback(answer.address());
    if (!isSafe) {
      throw refused(place, answer, Addresses.shown(next) + ", which is not https");
    }
    return next;
  }

  static StoreException endless(String place) {
    return StoreException.environment(
        place, "is redirected more than " + MOST + " times", "Check the address.", null);
  }

  private static StoreException refused(String place, Transport.Answer answer, String where) {
    return StoreException.environment(
        place,
        answer.address().getHost() + " redirects to " + where,
        "Check the address, or download the checkpoint and give its folder.",
        null);
  }
}
