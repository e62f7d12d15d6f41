package io.cafeq.engine.measure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cafeq.config.Recipe;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.SafetensorsWriter;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.compute.Backends;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.model.Miniature;
import io.cafeq.engine.plan.Planner;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import io.cafeq.engine.tokens.Tokenizers;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TokenMakerTest {
  private static final StopFlag STOP = new StopFlag();

  @TempDir private Path folder;
  private Path model;

  @BeforeEach
  void write() throws IOException {
    model = folder.resolve("model");
    SampleShape shape =
        new SampleShape(
            1, 32, 64, 4, 2, 20, Dtype.BF16, true, SampleShape.Distribution.GAUSSIAN, 0, 1 << 20);
    SampleCheckpoint.write(shape, 1, model, STOP);
    Tokenizers.write(model);
  }

  @Test
  void randomTokensAreOrdinaryOnesAndDependOnTheSeedAlone() {
    StatisticsTokens tokens = make("random");

    int[] all = tokens.windows().stream().flatMapToInt(IntStream::of).toArray();
    assertThat(all).hasSize(100).doesNotContain(6, 11);
    assertThat(Arrays.stream(all).max().orElseThrow()).isLessThan(20);
    assertThat(Arrays.stream(all).distinct().count()).isGreaterThan(15);
    assertThat(tokens.windows())
        .extracting(window -> window.length)
        .containsExactly(30, 30, 30, 10);
    assertThat(make("random").sha256()).isEqualTo(tokens.sha256());
    assertThat(make("random", "seed", "1").sha256()).isNotEqualTo(tokens.sha256());
  }

  @Test
  void aLongTextIsSeenFromItsBeginningToItsEnd() throws IOException {
    Path text = Files.writeString(folder.resolve("text"), "a".repeat(500) + "c".repeat(500));

    List<int[]> windows = make("file:" + text).windows();

    assertThat(windows).extracting(window -> window.length).containsExactly(30, 30, 30, 10);
    assertThat(windows.getFirst()).containsOnly(0);
    assertThat(windows.getLast()).containsOnly(2);
  }

  @Test
  void ofAShortTextAllIsTaken() throws IOException {
    Path text = Files.writeString(folder.resolve("text"), "abc ".repeat(11));

    StatisticsTokens tokens = make("file:" + text);

    assertThat(tokens.windows()).extracting(window -> window.length).containsExactly(30, 3);
    assertThat(tokens.windows().getFirst()).startsWith(3, 2, 4, 3, 2, 4);
    assertThat(tokens.textSha256()).hasSize(64);
  }

  @Test
  void ofALongTextThePiecesMakeOne() throws IOException {
    Path text =
        Files.writeString(folder.resolve("text"), "a".repeat(500_000) + "c".repeat(400_000) + " b");

    List<int[]> windows = make("file:" + text).windows();

    assertThat(windows.get(1)).containsOnly(0);
    assertThat(windows.get(2)).containsOnly(2);
    assertThat(windows.getLast()).hasSize(10);
  }

  @ParameterizedTest
  @ValueSource(strings = {"random", "text", "self", "file"})
  void eachWindowOfAGemmaBeginsWithItsToken(String source) throws IOException {
    model = folder.resolve("gemma");
    Miniature.of("gemma2", 1).write(model, Miniature.Spread.ONE);
    Tokenizers.write(model);
    Path text = Files.writeString(folder.resolve("text"), "abc ".repeat(11));

    StatisticsTokens tokens = make(source.equals("file") ? "file:" + text : source);

    // 33 tokens of that file
    assertThat(tokens.windows())
        .extracting(window -> window.length)
        .isEqualTo(source.equals("file") ? List.of(30, 5) : List.of(30, 30, 30, 10));
    assertThat(tokens.windows()).allSatisfy(window -> assertThat(window[0]).isEqualTo(2));
  }

  @Test
  void othersBeginWithTheirText() {
    assertThat(make("random").windows())
        .anySatisfy(window -> assertThat(window[0]).isNotEqualTo(2));
  }

  @Test
  void textsThatAreNoneAreRefused() throws IOException {
    Path text = folder.resolve("text");
    assertThatRefused(text, "no such text");
    Files.writeString(text, "");
    assertThatRefused(text, "too short");
    Files.writeString(text, "abc");
    assertThatRefused(text, "too short");
    Files.write(text, new byte[] {'a', (byte) 0xC3, 'b'});
    assertThatRefused(text, "UTF-8");
  }

  @Test
  void theBuiltInTextIsThere() {
    // the small tokenizer knows hardly any of its characters
    assertThat(TextFiles.builtIn().length()).isGreaterThan(30_000);
    assertThat(make("text").count()).isEqualTo(100);
  }

  @Test
  void whatTheModelWritesHasTheLengthThatIsAskedFor() {
    StatisticsTokens tokens = make("self");

    assertThat(tokens.windows())
        .extracting(window -> window.length)
        .containsExactly(30, 30, 30, 10);
    assertThat(make("self").sha256()).isEqualTo(tokens.sha256());
  }

  @Test
  void tokensThatTheModelDoesNotKnowAreRefused() throws IOException {
    Path small = folder.resolve("small");
    SampleShape shape =
        new SampleShape(
            1, 32, 64, 4, 2, 2, Dtype.BF16, true, SampleShape.Distribution.GAUSSIAN, 0, 1 << 20);
    SampleCheckpoint.write(shape, 1, small, STOP);
    Tokenizers.write(small);
    model = small;
    Path text = Files.writeString(folder.resolve("text"), "abc ".repeat(50));

    assertThatThrownBy(() -> make("file:" + text))
        .isInstanceOfSatisfying(
            EngineException.class, e -> assertThat(e.kind()).isEqualTo(FailureKind.CHECKPOINT))
        .hasMessageContaining("tokenizer.json");
  }

  @Test
  void anEmbeddingThatIsStoredUnderTheNameOfTheHeadIsFound() throws IOException {
    model = folder.resolve("tied");
    Files.createDirectories(model);
    Files.copy(folder.resolve("model/config.json"), model.resolve("config.json"));
    String embedding = "model.embed_tokens.weight";
    List<SafetensorsWriter.Entry> entries = new ArrayList<>();
    try (Checkpoint whole = Checkpoint.open(folder.resolve("model"))) {
      for (TensorInfo tensor : whole.tensors()) {
        if (tensor.name().equals(embedding)) {
          entries.add(
              new SafetensorsWriter.Entry(
                  "lm_head.weight", tensor.dtype(), List.of(8L, tensor.shape().get(1))));
        } else if (!tensor.name().equals("lm_head.weight")) {
          entries.add(new SafetensorsWriter.Entry(tensor.name(), tensor.dtype(), tensor.shape()));
        }
      }
    }
    try (Arena arena = Arena.ofConfined();
        SafetensorsWriter writer =
            SafetensorsWriter.create(
                model.resolve("model.safetensors"),
                entries,
                Map.of("model.embed_tokens.weight", "lm_head.weight"))) {
      for (SafetensorsWriter.Entry entry : writer.order()) {
        writer.append(entry.name(), arena.allocate(entry.bytes()));
      }
      writer.finish();
    }

    assertThat(make("random").windows().stream().flatMapToInt(IntStream::of).max()).hasValue(7);
  }

  private void assertThatRefused(Path text, String message) {
    assertThatThrownBy(() -> make("file:" + text))
        .isInstanceOfSatisfying(
            EngineException.class, e -> assertThat(e.kind()).isEqualTo(FailureKind.USAGE))
        .hasMessageContaining(message)
        .hasMessageContaining(text.toString());
  }

  private StatisticsTokens make(String source, String... more) {
    Map<String, String> keys =
        new HashMap<>(
            Map.of(
                "statistics",
                source,
                "statistics-tokens",
                "100",
                "statistics-window",
                "30",
                "method",
                "rtn",
                "group",
                "32"));
    for (int i = 0; i < more.length; i += 2) {
      keys.put(more[i], more[i + 1]);
    }
    Recipe recipe = Recipe.of(keys);
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      StatisticsPlan plan = StatisticsPlan.of(checkpoint, Planner.plan(checkpoint, recipe), recipe);
      return new TokenMaker(checkpoint, Backends.open("scalar"), 1L << 28, STOP).make(plan);
    }
  }
}
