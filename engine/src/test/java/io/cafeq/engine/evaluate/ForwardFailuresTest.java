package io.cafeq.engine.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.compute.Backends;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.forward.ForwardPass;
import io.cafeq.engine.forward.InputObserver;
import io.cafeq.engine.forward.Logits;
import io.cafeq.engine.forward.SmallRun;
import io.cafeq.engine.model.Miniature;
import io.cafeq.engine.model.StoredTensors.Stored;
import io.cafeq.engine.tokens.Tokenizers;
import io.cafeq.engine.weights.CheckpointWeights;
import io.cafeq.engine.weights.SpilledStates;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What users can meet, in words that say what to do; and nothing is left behind. */
class ForwardFailuresTest {
  private static final List<int[]> WINDOWS = SmallRun.windows(3, 24, 50);

  @TempDir Path folder;

  private final Miniature miniature = Miniature.of("llama", 1);

  @BeforeEach
  void write() {
    miniature.write(folder, Miniature.Spread.ONE);
  }

  @Test
  void tooLittleMemory() {
    long least = SmallRun.least(folder, 24);
    assertFailure(
        () -> SmallRun.states(folder, WINDOWS, least - 1, InputObserver.NONE),
        FailureKind.USAGE,
        "at least %,d bytes".formatted(least),
        "--max-memory");
  }

  @Test
  void tokensBeyondTheVocabulary() {
    assertFailure(
        () ->
            SmallRun.states(
                folder, List.of(new int[] {1, 50}), SmallRun.PLENTY, InputObserver.NONE),
        FailureKind.CHECKPOINT,
        "token 50 is not among the 50 entries",
        "tokenizer.json");
  }

  @Test
  void targetsBeyondTheVocabulary() throws IOException {
    assertFailure(
        () -> Evaluations.score(folder, List.of(new int[] {1, 2, 50}), Evaluations.PLENTY),
        FailureKind.CHECKPOINT,
        "token 50 is not among the 50 entries",
        "tokenizer.json");
    assertFailure(
        () ->
            Evaluations.compare(folder, folder, List.of(new int[] {1, 2, 50}), Evaluations.PLENTY),
        FailureKind.CHECKPOINT,
        "token 50 is not among the 50 entries",
        "tokenizer.json");
    Path small = withRows(4, "model.embed_tokens.weight", "lm_head.weight");
    Tokenizers.write(small);
    // The blank at the end is token 4, and only a target.
    List<Question> questions = List.of(new Question("cc", List.of("b", "c "), 0));
    assertFailure(
        () -> Evaluations.choices(small, questions, Evaluations.PLENTY),
        FailureKind.CHECKPOINT,
        "token 4 is not among the 4 entries",
        "tokenizer.json");
  }

  @ParameterizedTest
  @ValueSource(ints = {49, 48})
  void aHeadOfAnotherVocabulary(int rows) {
    Path odd = withRows(rows, "lm_head.weight");
    String message =
        "\"lm_head.weight\": the embeddings lead to expect the shape [50, 64], found ["
            + rows
            + ", 64]";
    assertFailure(
        () -> Evaluations.score(odd, Evaluations.windows(2, 8), Evaluations.PLENTY),
        FailureKind.CHECKPOINT,
        message,
        "Download");
    assertFailure(
        () -> Evaluations.compare(folder, odd, Evaluations.windows(2, 8), Evaluations.PLENTY),
        FailureKind.CHECKPOINT,
        message,
        "Download");
  }

  @Test
  void tensorsOfOtherShapes() throws IOException {
    change("{\"num_key_value_heads\": 4}");
    assertFailure(
        () -> SmallRun.states(folder, WINDOWS, SmallRun.PLENTY, InputObserver.NONE),
        FailureKind.CHECKPOINT,
        "\"model.layers.0.self_attn.k_proj.weight\": config.json leads to expect the shape [64,"
            + " 64], found [32, 64]",
        "Download");
  }

  /**
   * In a file with a hole, which takes no room on disk; as floats it would be more than the tests'
   * heap.
   */
  @Test
  void aNormOfAbsurdLengthTakesNoMemory() throws IOException {
    Path absurd = Files.createDirectory(folder.resolve("absurd"));
    Files.writeString(absurd.resolve("config.json"), miniature.config().toPrettyString());
    long bytes = 1L << 31;
    byte[] header =
        "{\"model.norm.weight\": {\"dtype\": \"F32\", \"shape\": [%d], \"data_offsets\": [0, %d]}}"
            .formatted(bytes / Float.BYTES, bytes)
            .getBytes(StandardCharsets.UTF_8);
    try (RandomAccessFile file =
        new RandomAccessFile(absurd.resolve("model.safetensors").toFile(), "rw")) {
      file.writeLong(Long.reverseBytes(header.length));
      file.write(header);
      file.setLength(Long.BYTES + header.length + bytes);
    }
    try (Checkpoint checkpoint = Checkpoint.open(absurd);
        CheckpointWeights weights = CheckpointWeights.of(checkpoint)) {
      assertFailure(
          () -> weights.vector("model.norm.weight", 64),
          FailureKind.CHECKPOINT,
          "\"model.norm.weight\": config.json leads to expect the shape [64], found [536870912]",
          "Download");
    }
  }

  @Test
  void tensorsThatAreMissing() throws IOException {
    change("{\"model_type\": \"qwen3\"}");
    assertFailure(
        () -> SmallRun.states(folder, WINDOWS, SmallRun.PLENTY, InputObserver.NONE),
        FailureKind.CHECKPOINT,
        "\"model.layers.0.self_attn.q_norm.weight\": the forward pass needs it, but it is not"
            + " there",
        "Download");
    change("{\"num_hidden_layers\": 3}");
    assertFailure(
        () -> SmallRun.states(folder, WINDOWS, SmallRun.PLENTY, InputObserver.NONE),
        FailureKind.CHECKPOINT,
        "\"model.layers.2.mlp.gate_proj.weight\": the forward pass needs it",
        "Download");
  }

  @Test
  void aHeadThatIsMissing() {
    SortedMap<String, Stored> stored = new TreeMap<>(miniature.stored());
    stored.remove("lm_head.weight");
    Path headless = folder.resolve("headless");
    new Miniature("llama", miniature.config(), miniature.weights(), stored)
        .write(headless, Miniature.Spread.ONE);
    assertFailure(
        () -> Logits.of(headless, WINDOWS),
        FailureKind.CHECKPOINT,
        "tie_word_embeddings is false, but there is no tensor \"lm_head.weight\"",
        "Download");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"lm_head.weight", "model.norm.weight", "model.layers.1.mlp.down_proj.weight"})
  void whatIsMissingIsSaidBeforeAnythingIsEvaluated(String tensor) {
    SortedMap<String, Stored> stored = new TreeMap<>(miniature.stored());
    stored.remove(tensor);
    Path partial = folder.resolve("partial");
    new Miniature("llama", miniature.config(), miniature.weights(), stored)
        .write(partial, Miniature.Spread.ONE);
    assertFailure(
        () -> EvaluatedModel.open(partial),
        FailureKind.CHECKPOINT,
        "\"" + tensor + "\"",
        "Download");
  }

  @Test
  void windowsBeyondTheTrainedLength() throws IOException {
    change(
        "{\"rope_scaling\": {\"rope_type\": \"dynamic\", \"factor\": 2},"
            + " \"max_position_embeddings\": 16}");
    assertFailure(
        () -> SmallRun.states(folder, WINDOWS, SmallRun.PLENTY, InputObserver.NONE),
        FailureKind.USAGE,
        "windows of 24 tokens are longer than the 16",
        "shorter windows");
  }

  @Test
  void aScratchFolderThatIsNotThere() {
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        CheckpointWeights weights = CheckpointWeights.of(checkpoint);
        ComputeLane lane = Backends.open("auto").openLane()) {
      List<int[]> many = SmallRun.windows(50, 24, 50);
      long least = ForwardPass.memoryNeeded(weights, 24);
      Path nowhere = folder.resolve("nowhere");
      assertFailure(
          () ->
              ForwardPass.open(
                  weights, lane.products(), many, least, SpilledStates.in(nowhere), new StopFlag()),
          FailureKind.ENVIRONMENT,
          nowhere.toString(),
          "folder exists");
    }
  }

  @Test
  void aStopEndsThePassAndLeavesNothing() throws IOException {
    StopFlag stop = new StopFlag();
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        CheckpointWeights weights = CheckpointWeights.of(checkpoint);
        ComputeLane lane = Backends.open("auto").openLane();
        ForwardPass pass =
            ForwardPass.open(
                weights,
                lane.products(),
                SmallRun.windows(50, 24, 50),
                ForwardPass.memoryNeeded(weights, 24),
                SpilledStates.in(folder),
                stop)) {
      assertFailure(
          () -> pass.layer(0, (input, matrices, x) -> stop.stop()),
          FailureKind.STOPPED,
          "stopped",
          "again");
    }
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files.map(file -> file.getFileName().toString()))
          .containsExactlyInAnyOrder("config.json", "model.safetensors");
    }
  }

  @Test
  void layersComeInOrder() {
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        CheckpointWeights weights = CheckpointWeights.of(checkpoint);
        ComputeLane lane = Backends.open("auto").openLane();
        ForwardPass pass =
            ForwardPass.open(
                weights,
                lane.products(),
                WINDOWS,
                SmallRun.PLENTY,
                SpilledStates.in(folder),
                new StopFlag())) {
      assertThatThrownBy(() -> pass.layer(1, InputObserver.NONE))
          .isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> pass.end(0)).isInstanceOf(IllegalStateException.class);
      pass.run();
      assertThatThrownBy(() -> pass.layer(2, InputObserver.NONE))
          .isInstanceOf(IllegalStateException.class);
    }
  }

  /** The model with only the first rows of some tensors. */
  private Path withRows(int rows, String... tensors) {
    SortedMap<String, Stored> stored = new TreeMap<>(miniature.stored());
    for (String tensor : tensors) {
      stored.computeIfPresent(
          tensor,
          (name, whole) -> {
            int rowBytes = whole.bytes().length / whole.shape().getFirst();
            return new Stored(
                name,
                whole.dtype(),
                List.of(rows, whole.shape().getLast()),
                Arrays.copyOf(whole.bytes(), rows * rowBytes));
          });
    }
    Path cut = folder.resolve("cut");
    new Miniature("llama", miniature.config(), miniature.weights(), stored)
        .write(cut, Miniature.Spread.ONE);
    return cut;
  }

  private static void assertFailure(
      ThrowingCallable call, FailureKind kind, String message, String remedy) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(
            EngineException.class,
            e -> {
              assertThat(e.kind()).isEqualTo(kind);
              assertThat(e).hasMessageContaining(message);
              assertThat(e.remedy()).contains(remedy);
            });
  }

  private void change(String json) throws IOException {
    Files.writeString(folder.resolve("config.json"), changed(json).toPrettyString());
  }

  private ObjectNode changed(String json) throws JsonProcessingException {
    ObjectNode config = miniature.config().deepCopy();
    config.setAll((ObjectNode) new ObjectMapper().readTree(json));
    return config;
  }
}
