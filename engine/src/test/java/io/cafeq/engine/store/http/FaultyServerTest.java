package io.cafeq.engine.store.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.store.ByteSource;
import io.cafeq.engine.store.CheckpointStore;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class FaultyServerTest {
  private static final int SIZE = 5 * (1 << 20) + 321;
  private static final String FILE = "model.safetensors";

  /** Of one range, so that nothing is read ahead. */
  private static final String SMALL = "small.safetensors";

  private final byte[] content = new byte[SIZE];
  private final FileServer server = FileServer.start();
  private CheckpointStore store;
  private ByteSource source;
  private ByteSource small;

  @BeforeEach
  void open() {
    new Random(1).nextBytes(content);
    server.put("/m/" + FILE, content).put("/m/" + SMALL, Arrays.copyOf(content, 900_000));
    store = RemoteTests.open(server, "/m/");
    source = store.open(FILE);
    small = store.open(SMALL);
  }

  @AfterEach
  void close() {
    server.close();
    source.close();
    small.close();
    store.close();
  }

  private byte[] read(int from, int count) {
    ByteBuffer target = ByteBuffer.allocate(count);
    source.read(from, target);
    return target.array();
  }

  private void assertReadsAll() {
    assertThat(Arrays.equals(read(0, SIZE), content)).isTrue();
  }

  private EngineException failure() {
    return failure(() -> small.read(0, ByteBuffer.allocate(100)));
  }

  private static EngineException failure(
      org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
    EngineException failure = catchThrowableOfType(EngineException.class, call);
    assertThat(failure).isNotNull();
    assertThat(failure.remedy()).isNotBlank();
    return failure;
  }

  @Test
  void aConnectionThatBreaksIsResumedFromTheByteWhereItBroke() {
    int before = server.requests().size();
    server.next(FileServer.cut(70_000)).next(FileServer.cut(5)).next(FileServer.cut(0));
    ByteBuffer target = ByteBuffer.allocate(900_000);
    small.read(0, target);
    assertThat(target.array()).isEqualTo(Arrays.copyOf(content, 900_000));
    assertThat(server.requests().subList(before, server.requests().size()))
        .extracting(request -> request.range().orElse(""))
        .hasSize(4)
        .startsWith("bytes=0-899999")
        .endsWith("bytes=70005-899999");
  }

  @Test
  void attemptsThatBringBytesDoNotCountAgainstTheBound() {
    for (int i = 0; i < 12; i++) {
      server.next(FileServer.cut(60_000));
    }
    assertReadsAll();
  }

  @Test
  void afterSomeAttemptsWithoutAByteTheReadFails() {
    for (int i = 0; i < 5; i++) {
      server.next(FileServer.status(503));
    }
    EngineException failure = failure();
    assertThat(failure.kind()).isEqualTo(FailureKind.ENVIRONMENT);
    assertThat(failure).hasMessageContaining(SMALL).hasMessageContaining("503");
    assertReadsAll();
  }

  @Test
  void anAnswerThatStallsIsGivenUp() {
    server.next(server.stall(1000)).next(server.stall(0));
    assertReadsAll();
  }

  @Test
  void aServerThatNeverAnswersIsNotWaitedForForever() {
    server.next(server.silent());
    assertReadsAll();
  }

  @Test
  void aServerMayBeRestarted() throws Exception {
    CountDownLatch asked = new CountDownLatch(1);
    server.next(
        (exchange, bytes) -> {
          asked.countDown();
          return server.silent().answer(exchange, bytes);
        });
    Thread restart =
        Thread.ofPlatform()
            .start(
                () -> {
                  awaitUnchecked(asked);
                  server.restart(2);
                });
    assertReadsAll();
    restart.join();
  }

  private static void awaitUnchecked(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void trouble() {
    server.next(FileServer.status(429, "Retry-After", "0")).next(FileServer.status(500));
    assertReadsAll();
  }

  static Stream<Arguments> lies() {
    return Stream.of(
        lie(
            "another range",
            (exchange, bytes) -> {
              FileServer.part(exchange, 1, 100, bytes.length, 100);
              exchange.getResponseBody().write(bytes, 0, 100);
              return true;
            },
            "asked for were 0"),
        lie(
            "more than was asked for",
            (exchange, bytes) -> {
              FileServer.part(exchange, 0, bytes.length - 1, bytes.length, bytes.length);
              exchange.getResponseBody().write(bytes);
              return true;
            },
            "asked for were 0"),
        lie(
            "no range at all",
            (exchange, bytes) -> {
              exchange.sendResponseHeaders(206, 100);
              exchange.getResponseBody().write(bytes, 0, 100);
              return true;
            },
            "does not say which"),
        lie(
            "a range that ends before it begins",
            (exchange, bytes) -> {
              FileServer.part(exchange, 0, -1, bytes.length, 100);
              exchange.getResponseBody().write(bytes, 0, 100);
              return true;
            },
            "does not say which"),
        lie(
            "another length",
            (exchange, bytes) -> {
              int[] range = FileServer.range(exchange, bytes);
              FileServer.part(exchange, 0, range[1], bytes.length, 50);
              exchange.getResponseBody().write(bytes, 0, 50);
              return true;
            },
            "and 50"),
        lie(
            "compressed",
            (exchange, bytes) -> {
              exchange.getResponseHeaders().set("Content-Encoding", "gzip");
              FileServer.answer(exchange, bytes);
              return true;
            },
            "compressed"));
  }

  private static Arguments lie(String name, FileServer.Fault fault, String message) {
    return Arguments.of(org.junit.jupiter.api.Named.of(name, fault), message);
  }

  @ParameterizedTest
  @MethodSource("lies")
  void liesAreFailuresThatNameTheFile(FileServer.Fault lie, String message) {
    server.next(lie);
    EngineException failure = failure();
    assertThat(failure.kind()).isEqualTo(FailureKind.ENVIRONMENT);
    assertThat(failure).hasMessageContaining("/m/" + SMALL).hasMessageContaining(message);
    assertThat(failure.remedy()).contains("download");
  }

  @Test
  void shorterPartsThanAskedForAreTaken() {
    server.always(
        (exchange, bytes) -> {
          int[] range = FileServer.range(exchange, bytes);
          int last = Math.min(range[1], range[0] + 300_000);
          exchange.getResponseHeaders().set("ETag", FileServer.tag(bytes));
          FileServer.part(exchange, range[0], last, bytes.length, last - range[0] + 1);
          exchange.getResponseBody().write(bytes, range[0], last - range[0] + 1);
          return true;
        });
    assertReadsAll();
  }

  @Test
  void aServerThatIgnoresRangesIsRefusedForLargeFiles() {
    server.always(
        (exchange, bytes) -> {
          exchange.getResponseHeaders().set("ETag", FileServer.tag(bytes));
          exchange.sendResponseHeaders(200, bytes.length);
          exchange.getResponseBody().write(bytes);
          return true;
        });
    assertThat(read(0, 100)).isEqualTo(Arrays.copyOf(content, 100));
    assertThat(failure(() -> read(3 << 20, 100))).hasMessageContaining("ignores ranges");
  }

  @Test
  void aFileThatChangedIsRefusedByName() {
    read(0, 100);
    byte[] other = content.clone();
    other[5 << 20]++;
    server.put("/m/" + FILE, other);
    EngineException failure = failure(() -> read(5 << 20, 100));
    assertThat(failure.kind()).isEqualTo(FailureKind.CHECKPOINT);
    assertThat(failure).hasMessageContaining("/m/" + FILE).hasMessageContaining("changed");
  }

  @Test
  void aFileThatChangedIsNoticedWhereTheServerIgnoresIfMatch() {
    server.next(
        (exchange, bytes) -> {
          int[] range = FileServer.range(exchange, bytes);
          exchange.getResponseHeaders().set("ETag", "\"other\"");
          FileServer.part(exchange, range[0], range[1], bytes.length, range[1] - range[0] + 1);
          exchange.getResponseBody().write(bytes, range[0], range[1] - range[0] + 1);
          return true;
        });
    assertThat(failure().kind()).isEqualTo(FailureKind.CHECKPOINT);
  }

  @Test
  void aFileOfAnotherSizeIsNoticed() {
    server.next(
        (exchange, bytes) -> {
          int[] range = FileServer.range(exchange, bytes);
          FileServer.part(exchange, range[0], range[1], bytes.length + 1, range[1] + 1);
          exchange.getResponseBody().write(bytes);
          return true;
        });
    EngineException failure = failure();
    assertThat(failure.kind()).isEqualTo(FailureKind.CHECKPOINT);
    assertThat(failure).hasMessageContaining("found 900001");
  }

  @Test
  void redirectsAreFollowedOnTheSameHostAndToAnother() {
    try (FileServer other = FileServer.start()) {
      other.put("/signed", content);
      server.put("/moved", content);
      server.next(FileServer.status(307, "Location", "/moved"));
      assertThat(read(0, 100)).isEqualTo(Arrays.copyOf(content, 100));
      server.always(
          FileServer.status(302, "Location", other.address("/signed?key=secret").toString()));
      // after the redirect on this host, whose address is used again until it is refused
      assertThat(read(3 << 20, 100))
          .isEqualTo(Arrays.copyOfRange(content, 3 << 20, (3 << 20) + 100));
      other.always(FileServer.status(403));
      EngineException failure = failure(() -> read(5 << 20, 100));
      assertThat(failure.getMessage() + failure.remedy()).doesNotContain("secret");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "ftp://127.0.0.1/x", "http://example.org/x", "::", "file:///etc/passwd"})
  void redirectsToElsewhereAreRefused(String location) {
    server.next(FileServer.status(302, "Location", location));
    assertThat(failure()).hasMessageContaining(SMALL).hasMessageContaining("redirects to");
  }

  @Test
  void redirectsInACircleEnd() {
    server.always(FileServer.status(302, "Location", "/m/" + SMALL));
    assertThat(failure()).hasMessageContaining("redirected more than");
  }

  @Test
  void requestsInFlightAreBoundedAndAhead() {
    assertReadsAll();
    assertThat(server.mostInFlight()).isBetween(2, 4);
    assertThat(server.requests().stream().map(FileServer.Request::connection).distinct())
        .as("connections, which are used again")
        .hasSizeLessThanOrEqualTo(5)
        .hasSizeLessThan(server.requests().size());
    int before = server.requests().size();
    assertReadsAll();
    assertThat(server.requests()).as("ranges that are kept").hasSize(before);
  }

  @Test
  void closingEndsAReaderThatWaits() throws Exception {
    server.always(server.silent());
    Throwable[] thrown = new Throwable[1];
    Thread reader =
        Thread.ofPlatform()
            .start(
                () -> {
                  try {
                    read(0, 10);
                  } catch (Throwable e) {
                    thrown[0] = e;
                  }
                });
    while (server.requests().size() < 2) {
      Thread.onSpinWait();
    }
    store.close();
    reader.join(4_000);
    assertThat(reader.isAlive()).isFalse();
    assertThat(thrown[0]).isInstanceOfAny(EngineException.class, IllegalStateException.class);
  }

  @Test
  void aServerThatIsNotThereFailsWithARemedy() {
    String address = server.address("/m/").toString();
    server.close();
    try (FileServer hub = FileServer.start();
        CheckpointStore closed = RemoteTests.open(address, hub, Optional.empty())) {
      EngineException failure = failure(() -> closed.find(FILE));
      assertThat(failure.kind()).isEqualTo(FailureKind.ENVIRONMENT);
      assertThat(failure).hasMessageContaining("127.0.0.1");
    }
  }
}
