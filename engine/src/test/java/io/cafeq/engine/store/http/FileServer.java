package io.cafeq.engine.store.http;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.cafeq.engine.checkpoint.Digests;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.security.MessageDigest;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A server of files on this machine that does as RFC 9110 says, but for the faults that it is told
 * to have, one for each of the next requests.
 */
public final class FileServer implements AutoCloseable {
  private static final Pattern RANGE = Pattern.compile("bytes=(\\d+)-(\\d+)");

  /** What is wrong with one answer; true where it was given and the server has nothing to add. */
  @FunctionalInterface
  public interface Fault {
    boolean answer(HttpExchange exchange, byte[] content) throws IOException;
  }

  /**
   * What somebody asked for.
   *
   * @param connection tells connections apart
   */
  public record Request(
      String path, Optional<String> token, Optional<String> range, int connection) {}

  private final Map<String, byte[]> files = new ConcurrentHashMap<>();
  private final Deque<Fault> faults = new ConcurrentLinkedDeque<>();
  private final List<Request> requests = new CopyOnWriteArrayList<>();
  private final CountDownLatch closed = new CountDownLatch(1);
  private final AtomicInteger inFlight = new AtomicInteger();
  private final AtomicInteger mostInFlight = new AtomicInteger();
  private volatile Fault always = (exchange, content) -> false;
  private HttpServer server;
  private ExecutorService threads;
  private final int port;

  private FileServer(HttpServer server) {
    this.server = server;
    this.port = server.getAddress().getPort();
    this.threads = begin(server);
  }

  /** On a port that is free. */
  public static FileServer start() {
    return new FileServer(bound(0));
  }

  private static HttpServer bound(int port) {
    try {
      return HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private ExecutorService begin(HttpServer one) {
    ExecutorService executor = Executors.newCachedThreadPool();
    one.setExecutor(executor);
    one.createContext("/", this::handle);
    one.start();
    return executor;
  }

  /**
   * Stops, cutting off all answers, and starts again at the same address once some more connections
   * were turned away.
   */
  public synchronized void restart(int turnedAway) {
    server.stop(0);
    threads.shutdownNow();
    try (ServerSocket broken = new ServerSocket(port, 0, InetAddress.getLoopbackAddress())) {
      for (int i = 0; i < turnedAway; i++) {
        broken.accept().close();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    server = bound(port);
    threads = begin(server);
  }

  public URI address(String path) {
    return URI.create("http://127.0.0.1:" + port + path);
  }

  /** A file behind an absolute path. */
  public FileServer put(String path, byte[] content) {
    files.put(path, content.clone());
    return this;
  }

  /** The next request for a file of the server gets this answer. */
  public FileServer next(Fault fault) {
    faults.add(fault);
    return this;
  }

  /** All requests that have no fault of their own get this answer. */
  public void always(Fault fault) {
    always = fault;
  }

  public List<Request> requests() {
    return requests;
  }

  /** The most requests that were answered at the same time. */
  public int mostInFlight() {
    return mostInFlight.get();
  }

  private void handle(HttpExchange exchange) throws IOException {
    String path = exchange.getRequestURI().getPath();
    requests.add(
        new Request(
            path,
            header(exchange, "Authorization"),
            header(exchange, "Range"),
            exchange.getRemoteAddress().getPort()));
    mostInFlight.accumulateAndGet(inFlight.incrementAndGet(), Math::max);
    try (exchange) {
      byte[] content = files.get(path);
      Fault fault = content == null ? null : faults.poll();
      if (content == null) {
        exchange.sendResponseHeaders(404, -1);
      } else if (fault == null || !fault.answer(exchange, content)) {
        if (!always.answer(exchange, content)) {
          answer(exchange, content);
        }
      }
    } finally {
      inFlight.decrementAndGet();
    }
  }

  /** As it should be. */
  public static void answer(HttpExchange exchange, byte[] content) throws IOException {
    exchange.getResponseHeaders().set("ETag", tag(content));
    Optional<String> match = header(exchange, "If-Match");
    if (match.isPresent() && !match.get().equals(tag(content))) {
      exchange.sendResponseHeaders(412, -1);
      return;
    }
    Matcher range = RANGE.matcher(header(exchange, "Range").orElse(""));
    if (!range.matches()) {
      exchange.sendResponseHeaders(200, content.length == 0 ? -1 : content.length);
      exchange.getResponseBody().write(content);
      return;
    }
    int first = Integer.parseInt(range.group(1));
    int last = Math.min(Integer.parseInt(range.group(2)), content.length - 1);
    if (first >= content.length) {
      exchange.getResponseHeaders().set("Content-Range", "bytes */" + content.length);
      exchange.sendResponseHeaders(416, -1);
      return;
    }
    part(exchange, first, last, content.length, last - first + 1);
    exchange.getResponseBody().write(content, first, last - first + 1);
  }

  /** The head of an answer with a range. */
  static void part(HttpExchange exchange, int first, int last, int total, int length)
      throws IOException {
    exchange.getResponseHeaders().set("Content-Range", "bytes " + first + "-" + last + "/" + total);
    exchange.sendResponseHeaders(206, length);
    // else the head waits for a body that does not come
    exchange.getResponseBody().flush();
  }

  /** The range that was asked for, as far as there is content. */
  static int[] range(HttpExchange exchange, byte[] content) {
    Matcher range = RANGE.matcher(header(exchange, "Range").orElse(""));
    return range.matches()
        ? new int[] {
          Integer.parseInt(range.group(1)),
          Math.min(Integer.parseInt(range.group(2)), content.length - 1)
        }
        : new int[] {0, content.length - 1};
  }

  static Fault status(int status, String... headers) {
    return (exchange, content) -> {
      for (int i = 0; i < headers.length; i += 2) {
        exchange.getResponseHeaders().set(headers[i], headers[i + 1]);
      }
      exchange.sendResponseHeaders(status, -1);
      return true;
    };
  }

  /** The connection breaks after some bytes of the body. */
  static Fault cut(int after) {
    return (exchange, content) -> {
      int[] range = range(exchange, content);
      exchange.getResponseHeaders().set("ETag", tag(content));
      int count = range[1] - range[0] + 1;
      part(exchange, range[0], range[1], content.length, count);
      exchange.getResponseBody().write(content, range[0], Math.min(after, count - 1));
      exchange.getResponseBody().flush();
      return true;
    };
  }

  /** Nothing comes after some bytes of the body, until the server is closed. */
  Fault stall(int after) {
    return (exchange, content) -> {
      int[] range = range(exchange, content);
      exchange.getResponseHeaders().set("ETag", tag(content));
      part(exchange, range[0], range[1], content.length, range[1] - range[0] + 1);
      exchange.getResponseBody().write(content, range[0], after);
      exchange.getResponseBody().flush();
      awaitClose();
      return true;
    };
  }

  /** Not even a head comes, until the server is closed. */
  public Fault silent() {
    return (exchange, content) -> {
      awaitClose();
      return true;
    };
  }

  private void awaitClose() {
    try {
      closed.await();
    } catch (InterruptedException restarted) {
      Thread.currentThread().interrupt();
    }
  }

  static String tag(byte[] content) {
    MessageDigest digest = Digests.sha256();
    digest.update(content);
    return "\"" + Digests.hex(digest) + "\"";
  }

  static Optional<String> header(HttpExchange exchange, String name) {
    return Optional.ofNullable(exchange.getRequestHeaders().getFirst(name));
  }

  @Override
  public synchronized void close() {
    closed.countDown();
    server.stop(0);
    threads.shutdownNow();
  }
}
