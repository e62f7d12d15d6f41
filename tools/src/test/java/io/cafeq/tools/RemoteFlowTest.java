package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.model.Shared;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import io.cafeq.engine.store.http.FileServer;
import io.cafeq.engine.store.http.HubServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Checkpoints behind addresses through the commands, beside the same ones in a folder. */
class RemoteFlowTest {
  private static final String MODEL = "hf://" + HubServer.MODEL;

  @TempDir Path folder;

  private final FileServer server = FileServer.start();
  private final HubServer hub = new HubServer(server);
  private Path model;

  @BeforeEach
  void writeModel() throws IOException {
    model = folder.resolve("model");
    SampleCheckpoint.write(
        new SampleShape(
            2,
            128,
            256,
            4,
            2,
            12_000,
            Dtype.BF16,
            false,
            SampleShape.Distribution.GAUSSIAN,
            0,
            3_500_000),
        1,
        model,
        new StopFlag());
    upload();
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private void upload() throws IOException {
    upload(model);
  }

  private void upload(Path from) throws IOException {
    SortedMap<String, byte[]> content = new TreeMap<>();
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        String name = from.relativize(file).toString();
        content.put(name, Files.readAllBytes(file));
      }
    }
    hub.put(content);
    content.forEach((name, bytes) -> server.put("/web/" + name, bytes));
  }

  private CommandRun run(String command, String location, String... more) {
    List<String> all =
        new ArrayList<>(List.of(command, location, "--hub", server.address("").toString()));
    all.addAll(List.of(more));
    return CommandRun.of(all.toArray(String[]::new));
  }

  private CommandRun quantize(String location, Path out, String... more) {
    return run(
        "quantize",
        location,
        Place.with(
            List.of(
                "--out",
                out.toString(),
                "--backend",
                "scalar",
                "--lanes",
                "2",
                "--steps",
                "2",
                "--pair-steps",
                "2",
                "--range-size",
                "1m",
                "--retry-delay",
                "20",
                "--statistics-tokens",
                "256",
                "--statistics-window",
                "64"),
            more));
  }

  @Test
  void aStreamedCheckpointGivesTheBytesThatTheFolderGives() throws Exception {
    Path local = folder.resolve("local");
    assertThat(quantize(model.toString(), local, "--statistics", "random"))
        .matches(run -> run.exitCode() == ExitCode.OK);
    AtomicInteger requests = new AtomicInteger();
    CountDownLatch restarted = new CountDownLatch(1);
    server.always(
        (exchange, content) -> {
          if (exchange.getRequestHeaders().containsKey("Range")
              && requests.incrementAndGet() == 12) {
            // not on a thread of the server that ends
            Thread.ofPlatform()
                .start(
                    () -> {
                      server.restart(4);
                      restarted.countDown();
                    });
            return server.silent().answer(exchange, content);
          }
          return false;
        });

    Path streamed = folder.resolve("streamed");
    CommandRun run = quantize(MODEL, streamed, "--statistics", "random");

    assertThat(run).matches(one -> one.exitCode() == ExitCode.OK);
    restarted.await();
    assertThat(requests).hasValueGreaterThan(12);
    assertThat(FolderContent.of(streamed)).isEqualTo(FolderContent.of(local));
    assertThat(json(streamed.resolve("report.json")).at("/source/path").asText())
        .isEqualTo(MODEL + "@" + hub.commit());

    CommandRun verified = run("verify", streamed.toString(), "--against", MODEL);
    assertThat(verified).matches(one -> one.exitCode() == ExitCode.OK);
    assertThat(quantize(MODEL, streamed, "--statistics", "random").err())
        .contains("was complete before");
  }

  @Test
  void aFolderOnAPlainServerGivesThemToo() throws Exception {
    Path local = folder.resolve("local");
    Path streamed = folder.resolve("streamed");
    String address = server.address("/web/").toString();
    assertThat(quantize(model.toString(), local, "--method", "rtn", "--statistics", "none"))
        .matches(run -> run.exitCode() == ExitCode.OK);
    assertThat(quantize(address, streamed, "--method", "rtn", "--statistics", "none"))
        .matches(run -> run.exitCode() == ExitCode.OK);
    assertThat(FolderContent.of(streamed)).isEqualTo(FolderContent.of(local));
  }

  @Test
  void plansAndInspectsTheSame() throws Exception {
    JsonNode local = json(run("inspect", model.toString(), "--json"));
    for (String location : List.of(MODEL, server.address("/web").toString())) {
      JsonNode remote = json(run("inspect", location, "--json"));
      assertThat(remote.get("tensors")).isEqualTo(local.get("tensors"));
      assertThat(remote.get("shards")).isEqualTo(local.get("shards"));
      assertThat(remote.get("side_files")).isEqualTo(local.get("side_files"));
      assertThat(
              json(run("plan", location, "--statistics", "none", "--json")).at("/totals/weights"))
          .isEqualTo(
              json(run("plan", model.toString(), "--statistics", "none", "--json"))
                  .at("/totals/weights"));
    }
  }

  @Test
  void refusesWhatTheFolderRefuses() throws Exception {
    Path shard;
    try (Stream<Path> files = Files.list(model)) {
      shard =
          files
              .filter(file -> file.toString().endsWith(".safetensors"))
              .sorted()
              .findFirst()
              .orElseThrow();
    }
    byte[] whole = Files.readAllBytes(shard);
    Files.write(shard, java.util.Arrays.copyOf(whole, whole.length - 5));
    upload();
    assertSameRefusal();
    byte[] header = whole.clone();
    header[8] = '[';
    Files.write(shard, header);
    upload();
    assertSameRefusal();
    Files.write(shard, whole);
    Files.writeString(model.resolve("config.json"), "{");
    upload();
    assertSameRefusal();
  }

  private void assertSameRefusal() {
    CommandRun local = run("plan", model.toString());
    CommandRun remote = run("plan", MODEL);
    assertThat(local.exitCode()).isEqualTo(ExitCode.CHECKPOINT);
    assertThat(remote.exitCode()).isEqualTo(ExitCode.CHECKPOINT);
    assertThat(remote.err())
        .isEqualTo(local.err().replace(model.toString(), MODEL + "@" + hub.commit()));
  }

  @Test
  void evaluatesTheSame() throws Exception {
    Path trained = Shared.require("data/tinystories-656k");
    upload(trained);
    Path text =
        Files.writeString(folder.resolve("text"), "Once upon a time there was a cat. ".repeat(40));
    String[] options = {"--text", text.toString(), "--windows", "2", "--window", "32", "--json"};
    JsonNode local = json(run("evaluate", trained.toString(), options));
    JsonNode remote =
        json(run("evaluate", server.address("/web/model.safetensors").toString(), options));
    assertThat(remote.get("perplexity")).isEqualTo(local.get("perplexity"));
  }

  private static JsonNode json(CommandRun run) throws IOException {
    assertThat(run).matches(one -> one.exitCode() == ExitCode.OK);
    return JsonMapper.builder().build().readTree(run.out());
  }

  private static JsonNode json(Path file) throws IOException {
    return JsonMapper.builder().build().readTree(file.toFile());
  }
}
