package io.cafeq.engine.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What every store keeps. A test of a store extends this class, keeps files wherever the store has
 * them, and opens it.
 */
public abstract class CheckpointStoreContract {
  private static final int SIZE = 300_007;

  private final byte[] content = new byte[SIZE];
  private CheckpointStore store;

  /** Puts a file where {@link #open} will find it, or replaces it by one of later date. */
  protected abstract void put(String name, byte[] bytes) throws Exception;

  /** Opens a store over everything that was put. */
  protected abstract CheckpointStore open() throws Exception;

  /** Whether the store sees files that nobody told it of. */
  protected boolean canList() {
    return true;
  }

  @BeforeEach
  final void fill() throws Exception {
    new Random(5).nextBytes(content);
    put("model.safetensors", content);
    put("config.json", new byte[] {'{', '}'});
    put("README.md", new byte[0]);
    put("templates/chat.jinja", new byte[] {'x'});
    store = open();
  }

  @AfterEach
  final void closeStore() {
    store.close();
  }

  @Test
  void readsEveryAlignmentIntoEveryKindOfBuffer() {
    try (ByteSource source = store.open("model.safetensors");
        Arena arena = Arena.ofConfined()) {
      assertThat(source.size()).isEqualTo(SIZE);
      assertThat(source.place()).isEqualTo(store.place("model.safetensors"));
      for (int offset = 0; offset < 9; offset++) {
        for (int count : new int[] {0, 1, 7, 4096, 65_536, 200_001}) {
          long position = 1000L * offset + offset;
          for (ByteBuffer buffer :
              List.of(
                  ByteBuffer.allocate(count + 20),
                  ByteBuffer.allocateDirect(count + 20),
                  arena.allocate(count + 20).asByteBuffer())) {
            buffer.position(offset).limit(offset + count);
            source.read(position, buffer);
            assertThat(buffer.position()).isEqualTo(offset + count);
            byte[] found = new byte[count];
            buffer.get(offset, found);
            assertThat(found)
                .isEqualTo(Arrays.copyOfRange(content, (int) position, (int) position + count));
            buffer.limit(buffer.capacity());
            assertThat(buffer.get(offset + count)).as("the byte behind the range").isZero();
          }
        }
      }
    }
  }

  @Test
  void readsTheFirstAndTheLastByte() {
    try (ByteSource source = store.open("model.safetensors")) {
      assertThat(read(source, 0, 1)).containsExactly(content[0]);
      assertThat(read(source, SIZE - 1, 1)).containsExactly(content[SIZE - 1]);
      assertThat(read(source, 0, SIZE)).isEqualTo(content);
      assertThat(read(source, SIZE, 0)).isEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {SIZE - 3, SIZE, SIZE + 1, Long.MAX_VALUE - 5})
  void aRangeBeyondTheEndFails(long position) {
    try (ByteSource source = store.open("model.safetensors")) {
      EngineException failure = failure(() -> read(source, position, 4));
      assertThat(failure.kind()).isEqualTo(FailureKind.CHECKPOINT);
      assertThat(failure)
          .hasMessageContaining("model.safetensors")
          .hasMessageContaining(String.valueOf(SIZE));
    }
  }

  @Test
  void aPositionBeforeTheStartIsAnErrorOfTheProgram() {
    try (ByteSource source = store.open("model.safetensors")) {
      assertThatThrownBy(() -> read(source, -1, 4)).isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void readersDoNotDisturbOneAnother() throws Exception {
    try (ByteSource source = store.open("model.safetensors");
        ExecutorService readers = Executors.newFixedThreadPool(8)) {
      List<Future<?>> all = new ArrayList<>();
      for (int reader = 0; reader < 8; reader++) {
        Random random = new Random(reader);
        all.add(
            readers.submit(
                () -> {
                  for (int i = 0; i < 30; i++) {
                    int from = random.nextInt(SIZE);
                    int count = random.nextInt(Math.min(40_000, SIZE - from) + 1);
                    assertThat(read(source, from, count))
                        .isEqualTo(Arrays.copyOfRange(content, from, from + count));
                  }
                }));
      }
      for (Future<?> one : all) {
        one.get();
      }
    }
  }

  @Test
  void anInterruptedReaderStopsAndDisturbsNobody() throws Exception {
    try (ByteSource source = store.open("model.safetensors")) {
      Throwable[] thrown = new Throwable[1];
      Thread reader =
          Thread.ofPlatform()
              .start(
                  () -> {
                    Thread.currentThread().interrupt();
                    try {
                      read(source, 5, 200_000);
                    } catch (Throwable e) {
                      thrown[0] = e;
                    }
                  });
      reader.join();
      // a store that never waits may also just read
      if (thrown[0] != null) {
        assertThat(thrown[0])
            .isInstanceOfSatisfying(
                EngineException.class, e -> assertThat(e.kind()).isEqualTo(FailureKind.STOPPED));
      }
      assertThat(read(source, 5, 7)).isEqualTo(Arrays.copyOfRange(content, 5, 12));
    }
  }

  @Test
  void anOpenFileThatIsReplacedReadsAsBeforeOrFails() throws Exception {
    try (ByteSource source = store.open("model.safetensors")) {
      String before = store.find("model.safetensors").orElseThrow().fingerprint();
      byte[] other = content.clone();
      for (int i = 0; i < other.length; i++) {
        other[i] ^= 1;
      }
      put("model.safetensors", other);
      try {
        assertThat(read(source, 100_000, 1000))
            .isEqualTo(Arrays.copyOfRange(content, 100_000, 101_000));
      } catch (EngineException e) {
        assertThat(e.kind()).isEqualTo(FailureKind.CHECKPOINT);
        assertThat(e).hasMessageContaining("model.safetensors").hasMessageContaining("changed");
      }
      try (CheckpointStore later = open()) {
        assertThat(later.find("model.safetensors").orElseThrow().fingerprint())
            .isNotEqualTo(before);
      }
    }
  }

  @Test
  void fingerprintsOfFilesThatStayAreTheSame() throws Exception {
    try (CheckpointStore again = open()) {
      assertThat(again.find("model.safetensors")).isEqualTo(store.find("model.safetensors"));
    }
  }

  @Test
  void aMissingFileIsNotFoundAndCannotBeOpened() {
    assertThat(store.find("gone.safetensors")).isEmpty();
    EngineException failure = failure(() -> store.open("gone.safetensors"));
    assertThat(failure.kind()).isEqualTo(FailureKind.CHECKPOINT);
    assertThat(failure).hasMessageContaining("gone.safetensors").hasMessageContaining("no such");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "../x",
        "..",
        ".",
        "/etc/passwd",
        "a/../../x",
        "a//b",
        "a\\..\\x",
        "x\0y",
        "",
        "a/",
        "\uD800"
      })
  void namesCannotLeadOut(String name) {
    assertThat(failure(() -> store.open(name)).kind()).isEqualTo(FailureKind.CHECKPOINT);
    assertThat(failure(() -> store.find(name)).kind()).isEqualTo(FailureKind.CHECKPOINT);
    if (!name.isEmpty()) {
      assertThat(failure(() -> store.list(name)).kind()).isEqualTo(FailureKind.CHECKPOINT);
    }
  }

  @Test
  void smallFilesAreReadWholeWithinALimit() {
    assertThat(store.read("config.json", 2)).containsExactly('{', '}');
    assertThat(store.read("README.md", 0)).isEmpty();
    EngineException failure = failure(() -> store.read("config.json", 1));
    assertThat(failure.kind()).isEqualTo(FailureKind.CHECKPOINT);
    assertThat(failure).hasMessageContaining("has 2 bytes, at most 1");
  }

  @Test
  void entriesSayWhatTheyAre() {
    StoredFile config = store.find("config.json").orElseThrow();
    assertThat(config.isFile()).isTrue();
    assertThat(config.size()).isEqualTo(2);
    assertThat(store.find("templates/chat.jinja").map(StoredFile::fileName))
        .isEqualTo(Optional.of("chat.jinja"));
    List<String> names = store.list("").stream().map(StoredFile::name).toList();
    assertThat(names)
        .isSortedAccordingTo(String::compareTo)
        .contains("README.md", "config.json", "model.safetensors");
    assertThat(store.list("")).contains(config);
    if (canList()) {
      assertThat(names).hasSize(4).contains("templates");
      assertThat(store.list("templates"))
          .extracting(StoredFile::name)
          .containsExactly("templates/chat.jinja");
    }
  }

  @Test
  void aClosedSourceReadsNothing() {
    ByteSource source = store.open("model.safetensors");
    source.close();
    assertThatThrownBy(() -> read(source, 0, 4))
        .isInstanceOfAny(IllegalStateException.class, StoreException.class);
    try (ByteSource again = store.open("model.safetensors")) {
      assertThat(read(again, 0, 1)).containsExactly(content[0]);
    }
  }

  private static byte[] read(ByteSource source, long position, int count) {
    ByteBuffer buffer = ByteBuffer.allocate(count);
    source.read(position, buffer);
    return buffer.array();
  }

  private static EngineException failure(
      org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
    EngineException failure = catchThrowableOfType(EngineException.class, call);
    assertThat(failure).isNotNull();
    assertThat(failure.remedy()).isNotBlank();
    return failure;
  }
}
