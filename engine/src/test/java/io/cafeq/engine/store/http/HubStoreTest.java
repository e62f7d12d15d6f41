package io.cafeq.engine.store.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpExchange;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.store.ByteSource;
import io.cafeq.engine.store.CheckpointStore;
import io.cafeq.engine.store.CheckpointStoreContract;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class HubStoreTest extends CheckpointStoreContract {
  private final FileServer server = FileServer.start();
  private final HubServer hub = new HubServer(server);

  @Override
  protected void put(String name, byte[] bytes) {
    hub.put(name, bytes);
  }

  @Override
  protected CheckpointStore open() {
    return open(Optional.empty());
  }

  private CheckpointStore open(Optional<String> token) {
    return RemoteTests.open("hf://" + HubServer.MODEL, server, token);
  }

  @AfterEach
  void stop() {
    server.close();
  }

  @Test
  void aBranchIsPinnedToItsCommit() {
    String commit = hub.commit();
    try (CheckpointStore store = open()) {
      assertThat(store.location()).isEqualTo("hf://" + HubServer.MODEL + "@" + commit);
      hub.put("config.json", "[]".getBytes(StandardCharsets.UTF_8));
      assertThat(store.read("config.json", 10)).isEqualTo("{}".getBytes(StandardCharsets.UTF_8));
      try (CheckpointStore same = RemoteTests.open(store.location(), server, Optional.empty())) {
        assertThat(same.location()).isEqualTo(store.location());
      }
    }
  }

  @Test
  void hashesOfTheHubAreFingerprints() {
    try (CheckpointStore store = open()) {
      assertThat(store.find("model.safetensors").orElseThrow().fingerprint()).hasSize(64);
      assertThat(store.find("templates").orElseThrow().isFolder()).isTrue();
    }
  }

  @Test
  void theTokenGoesToTheHubAndToNoOtherHost() {
    try (FileServer other = FileServer.start();
        CheckpointStore store = open(Optional.of("hf_secret"))) {
      other.put("/signed", store.read("model.safetensors", 1 << 20));
      server.requests().clear();
      server.next(FileServer.status(302, "Location", other.address("/signed?s=1").toString()));
      try (ByteSource source = store.open("model.safetensors")) {
        source.read(0, ByteBuffer.allocate(10));
      }
      assertThat(server.requests())
          .isNotEmpty()
          .allMatch(r -> r.token().equals(Optional.of("Bearer hf_secret")));
      assertThat(other.requests()).hasSize(1).allMatch(r -> r.token().isEmpty());
    }
  }

  @Test
  void anExpiredAddressIsResolvedAnew() {
    AtomicInteger signed = new AtomicInteger();
    byte[] content = new byte[8 << 20];
    content[content.length - 1] = 7;
    hub.put("model.safetensors", content);
    try (FileServer other = FileServer.start();
        CheckpointStore store = open()) {
      other.put("/1", content).put("/2", content);
      server.always(
          (exchange, bytes) -> redirect(exchange, other, "/" + Math.min(2, signed.get() + 1)));
      try (ByteSource source = store.open("model.safetensors")) {
        source.read(0, ByteBuffer.allocate(10));
        // as if time had passed
        signed.set(1);
        other.always(
            (exchange, bytes) ->
                exchange.getRequestURI().getPath().equals("/1")
                    && FileServer.status(403).answer(exchange, bytes));
        ByteBuffer target = ByteBuffer.allocate(1);
        source.read(content.length - 1, target);
        assertThat(target.get(0)).isEqualTo((byte) 7);
        assertThat(other.requests()).extracting(FileServer.Request::path).contains("/1", "/2");
      }
    }
  }

  private static boolean redirect(HttpExchange exchange, FileServer other, String path)
      throws IOException {
    return FileServer.status(302, "Location", other.address(path).toString())
        .answer(exchange, new byte[0]);
  }

  @Test
  void whatBelongsToTheFileIsCheckedBeforeTheRedirect() {
    try (CheckpointStore store = open()) {
      server.next(FileServer.status(302, "Location", "/elsewhere", "X-Linked-Size", "5"));
      try (ByteSource source = store.open("model.safetensors")) {
        assertThatThrownBy(() -> source.read(0, ByteBuffer.allocate(10)))
            .isInstanceOfSatisfying(
                EngineException.class, e -> assertThat(e.kind()).isEqualTo(FailureKind.CHECKPOINT))
            .hasMessageContaining("model.safetensors")
            .hasMessageContaining("found 5");
        server.next(
            FileServer.status(
                302, "Location", "/elsewhere", "X-Linked-ETag", "\"" + "0".repeat(64) + "\""));
        assertThatThrownBy(() -> source.read(0, ByteBuffer.allocate(10)))
            .hasMessageContaining("the hub listed the SHA-256");
      }
    }
  }

  @Test
  void refusalsSayWhatToDo() {
    server.next(FileServer.status(401));
    assertThatThrownBy(this::open)
        .isInstanceOfSatisfying(
            EngineException.class,
            e -> {
              assertThat(e.kind()).isEqualTo(FailureKind.USAGE);
              assertThat(e.remedy()).contains("HF_TOKEN");
            })
        .hasMessageContaining("hf://" + HubServer.MODEL + "@main");
    server.next(FileServer.status(403));
    assertThatThrownBy(this::open)
        .isInstanceOfSatisfying(
            EngineException.class, e -> assertThat(e.remedy()).contains("conditions"));
    assertThatThrownBy(() -> RemoteTests.open("hf://made-up/other", server, Optional.empty()))
        .hasMessageContaining("hf://made-up/other@main: no such");
  }

  @Test
  void aListThatIsTooLargeOrNoListIsRefused() {
    server.next(
        (exchange, content) -> {
          exchange.sendResponseHeaders(200, 40L << 20);
          exchange.getResponseBody().flush();
          return server.silent().answer(exchange, content);
        });
    assertThatThrownBy(this::open).hasMessageContaining("has more than");
    server.next(
        (exchange, content) -> {
          exchange.sendResponseHeaders(200, 0);
          for (int i = 0; i < 40; i++) {
            exchange.getResponseBody().write(new byte[1 << 20]);
          }
          return true;
        });
    assertThatThrownBy(this::open).hasMessageContaining("has more than");
    for (String list :
        new String[] {
          "<html>",
          "{}",
          "{\"sha\":\"x\"}",
          "{\"sha\":\"" + "a".repeat(40) + "\",\"siblings\":[{\"rfilename\":\"../x\"}]}"
        }) {
      byte[] bytes = list.getBytes(StandardCharsets.UTF_8);
      server.next(
          (exchange, content) -> {
            FileServer.answer(exchange, bytes);
            return true;
          });
      assertThatThrownBy(this::open).as(list).isInstanceOf(EngineException.class);
    }
  }
}
