package io.cafeq.engine.store.http;

import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Parts of addresses. */
final class Addresses {
  private Addresses() {}

  /** Scheme, host and port, by which hosts are told apart. */
  static String origin(URI address) {
    String scheme = String.valueOf(address.getScheme()).toLowerCase(Locale.ROOT);
    int port = address.getPort() >= 0 ? address.getPort() : scheme.equals("https") ? 443 : 80;
    return scheme + "://" + String.valueOf(address.getHost()).toLowerCase(Locale.ROOT) + ":" + port;
  }

  /** A name with folders as a relative address. */
  static String encoded(String name) {
    return Stream.of(name.split("/", -1)).map(Addresses::segment).collect(Collectors.joining("/"));
  }

  /** One part of a path, a {@code /} in it encoded too. */
  static String segment(String text) {
    StringBuilder encoded = new StringBuilder();
    for (byte each : text.getBytes(StandardCharsets.UTF_8)) {
      char character = (char) (each & 0xFF);
      boolean isPlain =
          character < 0x7F
              && (Character.isLetterOrDigit(character) || "-._~".indexOf(character) >= 0);
      encoded.append(
          isPlain ? String.valueOf(character) : String.format("%%%02X", (int) character));
    }
    return encoded.toString();
  }

  static String decoded(String segment) {
    return URLDecoder.decode(segment.replace("+", "%2B"), StandardCharsets.UTF_8);
  }

  /** Without what can hold a secret, for messages. */
  static String shown(URI address) {
    return origin(address).replaceFirst(":(443|80)$", "") + address.getRawPath();
  }
}
