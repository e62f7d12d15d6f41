package io.cafeq.engine.store.http;

import io.cafeq.config.RemoteSettings;
import io.cafeq.engine.store.StoreException;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.channels.UnresolvedAddressException;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import javax.net.ssl.SSLException;

/**
 * Sends one request and gives its answer, whatever it is; follows no redirect. Thread-safe.
 *
 * <p>HTTP/1.1 on purpose: each request in flight then has a connection of its own, and one that
 * stalls holds up no other.
 */
final class Transport implements AutoCloseable {
  private static final String NETWORK =
      "Check the network and the address; the same command continues.";

  private final HttpClient client;
  private final Token token;
  private final Duration connectTimeout;
  private final Duration stallTimeout;

  /** An answer; the caller closes its body, which ends the request where it is not read whole. */
  record Answer(URI address, HttpResponse<Body> response) implements AutoCloseable {
    int status() {
      return response.statusCode();
    }

    String header(String name) {
      return response.headers().firstValue(name).orElse("");
    }

    Body body() {
      return response.body();
    }

    @Override
    public void close() {
      body().close();
    }
  }

  Transport(RemoteSettings settings, Token token) {
    this.token = token;
    this.connectTimeout = Duration.ofSeconds(settings.connectTimeout());
    this.stallTimeout = Duration.ofSeconds(settings.stallTimeout());
    this.client =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(connectTimeout)
            .build();
  }

  /** Whether there is a token, for remedies. */
  boolean hasToken() {
    return token.isPresent();
  }

  /**
   * Sends a GET, with the token where the address is the hub's.
   *
   * @param place what is read, for messages
   */
  Answer get(URI address, Map<String, String> headers, String place) {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(address).GET().header("Accept-Encoding", "identity");
    headers.forEach(request::header);
    token.authorization(address).ifPresent(value -> request.header("Authorization", value));
    CompletableFuture<HttpResponse<Body>> sent =
        client.sendAsync(request.build(), head -> new Body(stallTimeout));
    try {
      return new Answer(address, sent.get(connectTimeout.toMillis(), TimeUnit.MILLISECONDS));
    } catch (TimeoutException e) {
      sent.cancel(true);
      throw StoreException.passing(
          place,
          "no answer from " + address.getHost() + " within " + connectTimeout.toSeconds() + " s",
          NETWORK,
          e);
    } catch (InterruptedException e) {
      sent.cancel(true);
      Thread.currentThread().interrupt();
      throw StoreException.interrupted(place, e);
    } catch (ExecutionException e) {
      throw failed(address, place, e.getCause() == null ? e : e.getCause());
    }
  }

  /** A failure on the way, before or within an answer. */
  static StoreException failed(URI address, String place, Throwable cause) {
    if (cause instanceof SSLException) {
      return StoreException.environment(
          place,
          "the connection to " + address.getHost() + " is not trusted: " + reason(cause),
          "Check the address and this machine's clock and certificates.",
          cause);
    }
    if (isUnresolved(cause)) {
      return StoreException.environment(
          place, "no host is called " + address.getHost(), NETWORK, cause);
    }
    return StoreException.passing(
        place,
        "the connection to " + address.getHost() + " failed: " + reason(cause),
        NETWORK,
        cause);
  }

  private static boolean isUnresolved(Throwable cause) {
    for (Throwable at = cause; at != null; at = at.getCause()) {
      if (at instanceof UnresolvedAddressException) {
        return true;
      }
    }
    return false;
  }

  private static String reason(Throwable cause) {
    String message = cause.getMessage();
    return cause instanceof IOException && message != null
        ? message
        : cause.getClass().getSimpleName() + (message == null ? "" : " (" + message + ")");
  }

  /** Ends requests under way. */
  @Override
  public void close() {
    client.shutdownNow();
  }
}
