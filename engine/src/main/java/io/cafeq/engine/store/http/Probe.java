package io.cafeq.engine.store.http;

import io.cafeq.engine.store.StoreException;
import java.net.URI;
import java.util.Map;
import java.util.Optional;

/** Asks for the first byte of a file, which tells its size and its tag. */
final class Probe {
  private Probe() {}

  /** Empty where the address has no file. */
  static Optional<RemoteFile> find(Transport transport, URI address, String place) {
    URI at = address;
    String tag = "";
    for (int hop = 0; hop <= Redirects.MOST; hop++) {
      try (Transport.Answer answer = transport.get(at, Map.of("Range", "bytes=0-0"), place)) {
        if (at.equals(address)) {
          tag = Redirects.is(answer) ? "" : answer.header("ETag");
        }
        if (Redirects.is(answer)) {
          at = Redirects.next(answer, place);
          continue;
        }
        return switch (answer.status()) {
          case 206, 200, 416 ->
              Optional.of(new RemoteFile(place, address, size(answer, place), "", tag));
          case 404, 410 -> Optional.empty();
          default -> throw Refusals.of(answer, place, transport.hasToken());
        };
      }
    }
    throw Redirects.endless(place);
  }

  private static long size(Transport.Answer answer, String place) {
    String range = answer.header("Content-Range");
    long size =
        switch (answer.status()) {
          case 206 -> ContentRange.parse(range).map(ContentRange::total).orElse(-1L);
          // nothing is the first byte of an empty file
          case 416 -> range.strip().equals("bytes */0") ? 0 : -1;
          default -> answer.response().headers().firstValueAsLong("Content-Length").orElse(-1);
        };
    if (size < 0) {
      throw unknownSize(answer, place);
    }
    return size;
  }

  private static StoreException unknownSize(Transport.Answer answer, String place) {
    return Refusals.lie(place, answer.address().getHost() + " does not say how large the file is");
  }
}
