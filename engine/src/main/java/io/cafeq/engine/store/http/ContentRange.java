package io.cafeq.engine.store.http;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The header {@code Content-Range} of RFC 9110, 14.4.
 *
 * @param last inclusive
 * @param total bytes of the whole file; -1 where the server does not say
 */
record ContentRange(long first, long last, long total) {
  private static final Pattern FORM =
      Pattern.compile("bytes (\\d{1,18})-(\\d{1,18})/(\\*|\\d{1,18})");

  static Optional<ContentRange> parse(String header) {
    Matcher parts = FORM.matcher(header.strip());
    return parts.matches()
        ? Optional.of(
            new ContentRange(
                Long.parseLong(parts.group(1)),
                Long.parseLong(parts.group(2)),
                parts.group(3).equals("*") ? -1 : Long.parseLong(parts.group(3))))
        : Optional.empty();
  }

  long count() {
    return last - first + 1;
  }
}
