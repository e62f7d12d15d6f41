package io.cafeq.engine.store.http;

import io.cafeq.engine.store.ByteSource;
import io.cafeq.engine.store.Ranges;
import io.cafeq.engine.store.StoreException;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * A file behind an address, read by one request a call. The file is pinned: its size, and the ETag
 * of each host that gave a part of it, must stay. Where the address redirects, the last address is
 * used again until it is refused, which for a signed one means that it has expired.
 */
final class RangeSource implements ByteSource {
  private final Transport transport;
  private final RemoteFile file;

  /** By origin: a hub and the store behind it have ETags of their own for one file. */
  private final Map<String, String> tags = new ConcurrentHashMap<>();

  private volatile @Nullable URI resolved;
  private volatile boolean closed;

  RangeSource(Transport transport, RemoteFile file) {
    this.transport = transport;
    this.file = file;
    if (!file.tag().isEmpty()) {
      tags.put(Addresses.origin(file.address()), file.tag());
    }
  }

  @Override
  public String place() {
    return file.place();
  }

  @Override
  public long size() {
    return file.size();
  }

  @Override
  public void read(long position, ByteBuffer target) {
    Ranges.require(this, position, target.remaining());
    long at = position;
    while (target.hasRemaining()) {
      if (closed) {
        throw new IllegalStateException(place() + " was closed");
      }
      at += readSome(at, target);
    }
  }

  /** The bytes of one answer, which may be fewer than were asked for. */
  private int readSome(long position, ByteBuffer target) {
    try (Transport.Answer answer = ask(position, position + target.remaining() - 1)) {
      int count = Math.toIntExact(count(answer, position, target.remaining()));
      int limit = target.limit();
      target.limit(target.position() + count);
      try {
        copy(answer, target);
      } finally {
        target.limit(limit);
      }
      return count;
    }
  }

  private void copy(Transport.Answer answer, ByteBuffer target) {
    try {
      while (target.hasRemaining()) {
        if (answer.body().read(target) < 0) {
          throw new IOException("it ended " + target.remaining() + " bytes early");
        }
      }
    } catch (IOException e) {
      throw Transport.failed(answer.address(), place(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw StoreException.interrupted(place(), e);
    }
  }

  /**
   * Asks for a range until somebody gives content; redirects and expired addresses are resolved.
   */
  private Transport.Answer ask(long first, long last) {
    try {
      return follow(first, last);
    } catch (StoreException e) {
      // where the last address came from may know a better one
      resolved = null;
      throw e;
    }
  }

  private Transport.Answer follow(long first, long last) {
    URI known = resolved;
    URI at = known == null ? file.address() : known;
    boolean fresh = known == null;
    for (int hop = 0; hop <= Redirects.MOST; hop++) {
      Transport.Answer answer = transport.get(at, headers(at, first, last), place());
      try {
        if (answer.status() == 206 || answer.status() == 200) {
          requireTag(answer);
          resolved = at.equals(file.address()) ? null : at;
          return answer;
        }
        if (Redirects.is(answer)) {
          requireLinked(answer);
          at = Redirects.next(answer, place());
        } else if (!fresh && isExpired(answer.status())) {
          // a signed address has its time; the first one gives another
          resolved = null;
          fresh = true;
          at = file.address();
        } else {
          throw Refusals.of(answer, place(), transport.hasToken());
        }
      } catch (RuntimeException e) {
        answer.close();
        throw e;
      }
      answer.close();
    }
    throw Redirects.endless(place());
  }

  private static boolean isExpired(int status) {
    return status == 400 || status == 401 || status == 403 || status == 404 || status == 410;
  }

  private Map<String, String> headers(URI address, long first, long last) {
    Map<String, String> headers = new TreeMap<>();
    headers.put("Range", "bytes=" + first + "-" + last);
    String tag = tags.get(Addresses.origin(address));
    // weak tags never match by the rules of If-Match
    if (tag != null && !tag.startsWith("W/")) {
      headers.put("If-Match", tag);
    }
    return headers;
  }

  private void requireTag(Transport.Answer answer) {
    String tag = answer.header("ETag");
    if (tag.isEmpty()) {
      return;
    }
    String before = tags.putIfAbsent(Addresses.origin(answer.address()), tag);
    if (before != null && !before.equals(tag)) {
      throw Refusals.changed(
          place(),
          "the file was changed while it was read: its ETag was " + before + ", now " + tag);
    }
  }

  /** What a hub says of the file behind its redirect. */
  private void requireLinked(Transport.Answer answer) {
    String size = answer.header("X-Linked-Size");
    if (!size.isEmpty() && !size.equals(Long.toString(file.size()))) {
      throw Refusals.changed(
          place(), "expected " + file.size() + " bytes, found " + size + ": the file was changed");
    }
    String tag = answer.header("X-Linked-ETag");
    if (!tag.isEmpty()) {
      String before = tags.putIfAbsent("linked", tag);
      if (before != null && !before.equals(tag)) {
        throw Refusals.changed(
            place(),
            "the file was changed while it was read: its ETag was " + before + ", now " + tag);
      }
      String hash = tag.replace("\"", "");
      if (isSha256(hash) && isSha256(file.hash()) && !hash.equals(file.hash())) {
        throw Refusals.changed(
            place(), "the hub listed the SHA-256 " + file.hash() + " and gives " + hash);
      }
    }
  }

  private static boolean isSha256(String text) {
    return text.matches("[0-9a-f]{64}");
  }

  /** How many bytes of the answer's body are the next ones of the file. */
  private long count(Transport.Answer answer, long position, int wanted) {
    requireNotEncoded(answer);
    long length = answer.response().headers().firstValueAsLong("Content-Length").orElse(-1);
    if (answer.status() == 200) {
      if (length >= 0 && length != file.size()) {
        throw Refusals.changed(
            place(),
            "expected " + file.size() + " bytes, found " + length + ": the file was changed");
      }
      if (position != 0) {
        throw Refusals.lie(
            place(), answer.address().getHost() + " ignores ranges and sends whole files");
      }
      return wanted;
    }
    ContentRange range =
        ContentRange.parse(answer.header("Content-Range"))
            .orElseThrow(
                () ->
                    Refusals.lie(
                        place(),
                        answer.address().getHost()
                            + " sends a part of the file and does not say which"));
    if (range.total() >= 0 && range.total() != file.size()) {
      throw Refusals.changed(
          place(),
          "expected " + file.size() + " bytes, found " + range.total() + ": the file was changed");
    }
    if (range.first() != position || range.count() < 1 || range.count() > wanted) {
      throw Refusals.lie(
          place(),
          "%s sends bytes %d to %d, asked for were %d to %d"
              .formatted(
                  answer.address().getHost(),
                  range.first(),
                  range.last(),
                  position,
                  position + wanted - 1));
    }
    if (length >= 0 && length != range.count()) {
      throw Refusals.lie(
          place(),
          "%s says that it sends %d bytes, and %d"
              .formatted(answer.address().getHost(), range.count(), length));
    }
    return range.count();
  }

  private void requireNotEncoded(Transport.Answer answer) {
    String encoding = answer.header("Content-Encoding");
    if (!encoding.isEmpty() && !encoding.equalsIgnoreCase("identity")) {
      throw Refusals.lie(
          place(), answer.address().getHost() + " sends the file compressed, though told not to");
    }
  }

  @Override
  public void close() {
    closed = true;
  }
}
