package io.cafeq.engine.measure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.engine.compute.Backends;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.result.ResultLayout;
import io.cafeq.engine.statistics.ExpertMoments;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.statistics.MatrixInput;
import io.cafeq.engine.statistics.MomentBlocks;
import io.cafeq.engine.statistics.MomentSums;
import io.cafeq.engine.statistics.Shrinkage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Moments from tokens to a file and back. */
class MomentFileTest {
  private static final StopFlag STOP = new StopFlag();
  private static final MomentFile.Origin ORIGIN =
      new MomentFile.Origin("who", "weights", "scalar/java");

  @TempDir private Path folder;
  private final Arena arena = Arena.ofConfined();
  private ComputeLane lane;

  @BeforeEach
  void open() {
    lane = Backends.open("scalar").openLane();
  }

  @AfterEach
  void close() {
    lane.close();
    arena.close();
  }

  @ParameterizedTest
  @CsvSource({
    "5, 64",
    "576, 4096",
    "600, 128",
    "1281, 64",
    "70, 67",
    "11008, 4096",
    "4097, 4096",
    "32769, 32768"
  })
  void blocksCoverAllChannelsInTheFewestPieces(int channels, int width) {
    List<MomentBlocks.Span> spans = MomentBlocks.of(channels, width).spans();

    int next = 0;
    for (MomentBlocks.Span span : spans) {
      assertThat(span.first()).isEqualTo(next);
      assertThat(span.count()).isBetween(1, width);
      next += span.count();
    }
    assertThat(next).isEqualTo(channels);
    assertThat(spans).hasSizeLessThanOrEqualTo(Math.ceilDiv(channels, width - width % 8));
  }

  @ParameterizedTest
  @CsvSource({"7, 64", "600, 1000", "700, 300"})
  void momentsAreThoseOfAComputationInDouble(int channels, int width) {
    MatrixInput input = new MatrixInput("layers.0.in", channels, Optional.empty());
    MomentSums sums = new MomentSums(input, width, arena);
    FloatMatrix first = random(530, channels, 1);
    FloatMatrix second = random(3, channels, 2);
    sums.add(first, lane.products());
    sums.add(second, lane.products());
    write(List.of(sums));

    InputMoments moments = statistics(width).read(input, arena).orElseThrow();

    assertThat(moments.tokens()).isEqualTo(533);
    assertThat(moments.channels()).isEqualTo(channels);
    assertThat(statistics(width).bytes(input))
        .isEqualTo(
            moments.blocks().stream()
                .mapToLong(block -> block.moments().segment().byteSize())
                .sum());
    for (InputMoments.Block block : moments.blocks()) {
      for (int i = 0; i < block.channels(); i += 13) {
        for (int j = 0; j < block.channels(); j += 7) {
          double expected =
              (product(first, block.firstChannel() + i, block.firstChannel() + j)
                      + product(second, block.firstChannel() + i, block.firstChannel() + j))
                  / 533;
          assertThat((double) block.moments().get(i, j)).isCloseTo(expected, within(3e-5 * 4));
          assertThat(block.moments().get(i, j)).isEqualTo(block.moments().get(j, i));
        }
      }
    }
  }

  @Test
  void anExpertThatSawTooLittleHasTheMomentsOfItsLayerByItsOwnDiagonal() {
    MatrixInput busy = new MatrixInput("layers.0.experts.0", 16, Optional.of("layers.0.experts"));
    MatrixInput idle = new MatrixInput("layers.0.experts.1", 16, Optional.of("layers.0.experts"));
    MatrixInput all = new MatrixInput("layers.0.experts", 16, Optional.empty());
    int enough = (int) MomentSums.enoughTokens(16);
    List<MomentSums> sums =
        List.of(
            new MomentSums(busy, 64, arena),
            new MomentSums(idle, 64, arena),
            new MomentSums(all, 64, arena));
    sums.get(0).add(random(enough, 16, 3), lane.products());
    sums.get(1).add(random(enough - 1, 16, 4), lane.products());
    sums.get(2).add(random(2 * enough - 1, 16, 5), lane.products());
    try (MomentReader reader = MomentReader.open(write(sums))) {
      assertThat(reader.tokens()).containsEntry("layers.0.experts.1", enough - 1L);
      assertThat(reader.origin()).isEqualTo(ORIGIN);
    }
    assertThat(statistics(64).read(busy, arena).orElseThrow().input())
        .isEqualTo("layers.0.experts.0");
    InputMoments replaced = statistics(64).read(idle, arena).orElseThrow();
    assertThat(replaced.input()).isEqualTo("layers.0.experts");
    assertThat(replaced.tokens()).isEqualTo(2L * enough - 1);
    InputMoments together = statistics(64).read(all, arena).orElseThrow();
    float[] own = sums.get(1).diagonal();
    for (int i = 0; i < 16; i++) {
      double before = together.blocks().getFirst().moments().get(i, i);
      double expected = ((enough - 1) * own[i] + 16 * before) / (enough - 1 + 16);
      assertThat((double) replaced.blocks().getFirst().moments().get(i, i))
          .isCloseTo(expected, within(1e-5));
    }
    MatrixInput never = new MatrixInput("layers.0.experts.2", 16, Optional.of("layers.0.experts"));
    assertThat(statistics(64).read(never, arena))
        .hasValueSatisfying(
            moments -> assertThat(moments.meanDiagonal()).isEqualTo(together.meanDiagonal()));
    assertThat(statistics(64).read(new MatrixInput("layers.0.other", 16, Optional.empty()), arena))
        .isEmpty();
    assertThat(statistics(64).read(new MatrixInput("head", 16, Optional.empty()), arena)).isEmpty();
  }

  @Test
  void channelsOfOtherExpertsSayNothingOfItsOwn() {
    Optional<String> fallBack = Optional.of("layers.0.experts.down");
    MatrixInput idle = new MatrixInput("layers.0.experts.1.down", 16, fallBack, false);
    MatrixInput never = new MatrixInput("layers.0.experts.2.down", 16, fallBack, false);
    MomentSums few = new MomentSums(idle, 64, arena);
    MomentSums all =
        new MomentSums(new MatrixInput("layers.0.experts.down", 16, Optional.empty()), 64, arena);
    few.add(random(8, 16, 4), lane.products());
    all.add(random(80, 16, 5), lane.products());
    write(List.of(few, all));

    InputMoments own = statistics(64).read(idle, arena).orElseThrow();
    assertThat(own.tokens()).isEqualTo(8);
    assertThat(diagonal(own)).containsExactly(ExpertMoments.shrunk(few.diagonal(), 8));
    InputMoments level = statistics(64).read(never, arena).orElseThrow();
    FloatMatrix square = level.blocks().getFirst().moments();
    for (int i = 0; i < 16; i++) {
      for (int j = 0; j < 16; j++) {
        assertThat(square.get(i, j)).isEqualTo(i == j ? square.get(0, 0) : 0);
      }
    }
    assertThat((double) square.get(0, 0)).isCloseTo(mean(all.diagonal()), within(1e-6));
  }

  private static float[] diagonal(InputMoments moments) {
    float[] diagonal = new float[moments.channels()];
    for (InputMoments.Block block : moments.blocks()) {
      for (int i = 0; i < block.channels(); i++) {
        diagonal[block.firstChannel() + i] = block.moments().get(i, i);
      }
    }
    return diagonal;
  }

  private static double mean(float[] values) {
    double sum = 0;
    for (float value : values) {
      sum += value;
    }
    return sum / values.length;
  }

  @Test
  void theSameSumsMakeTheSameFile() throws IOException {
    byte[] once = Files.readAllBytes(write(List.of(small())));
    byte[] again = Files.readAllBytes(write(List.of(small())));

    assertThat(again).isEqualTo(once);
  }

  @Test
  void everyChangedByteIsFound() throws IOException {
    Path file = write(List.of(small()));
    byte[] sound = Files.readAllBytes(file);
    SplittableRandom random = new SplittableRandom(5);
    int payload = 16 * 17 / 2 * 4;
    for (int at = 0; at < sound.length - payload; at++) {
      byte[] changed = sound.clone();
      changed[at] ^= (byte) (1 << random.nextInt(8));
      Files.write(file, changed);
      assertThatRefused("");
    }
    for (int i = 0; i < 200; i++) {
      byte[] changed = sound.clone();
      changed[sound.length - 1 - random.nextInt(payload)] ^= (byte) (1 << random.nextInt(8));
      Files.write(file, changed);
      assertThatRefused("numbers are not those");
    }
  }

  @Test
  void whatIsSaidOfTheMomentsIsNotToBeChanged() throws IOException {
    Path file = write(List.of(small()));
    String text = Files.readString(file, StandardCharsets.ISO_8859_1);

    for (String[] change :
        new String[][] {
          {"tokens:layers.0.in\":\"100\"", "tokens:layers.0.in\":\"101\""},
          {"scalar/java", "scalar/jbva"},
          {"\"who\"", "\"wha\""},
          {"\"weights\"", "\"Weights\""},
          {"\"pt\"", "\"tp\""}
        }) {
      assertThat(text).contains(change[0]);
      Files.writeString(file, text.replace(change[0], change[1]), StandardCharsets.ISO_8859_1);
      assertThatRefused("header is not the one");
    }
  }

  @Test
  void aFileThatIsNoFileOfMomentsIsRefusedBeforeMemoryIsTaken() throws IOException {
    Path file = write(List.of(small()));
    String text = Files.readString(file, StandardCharsets.ISO_8859_1);

    Files.writeString(file, text.substring(0, text.length() - 8), StandardCharsets.ISO_8859_1);
    assertThatRefused("cannot be read as safetensors");
    Files.writeString(file, text.replace("#00000", "#00001"), StandardCharsets.ISO_8859_1);
    assertThatRefused("no upper triangle");
    Files.writeString(file, text.replace("\"F32\"", "\"I32\""), StandardCharsets.ISO_8859_1);
    assertThatRefused("no upper triangle");
    Files.writeString(
        file,
        text.replace("[136]", "[8,17]").replace("\"identity\":\"who\"", "\"identity\":\"wo\""),
        StandardCharsets.ISO_8859_1);
    assertThatRefused("no upper triangle");
    Files.writeString(
        file, text.replace("payload_sha256", "payload_sha257"), StandardCharsets.ISO_8859_1);
    assertThatRefused("payload_sha256 is missing");
    Files.writeString(
        file,
        text.replace("tokens:layers.0.in\":\"100\"", "tokens:layers.0.in\":\"-10\""),
        StandardCharsets.ISO_8859_1);
    assertThatRefused("not negative");
    Files.delete(file);
    assertThatRefused("is missing");
  }

  @Test
  void valuesThatAreNotFiniteAreNamed() {
    MomentSums sums =
        new MomentSums(new MatrixInput("layers.0.in", 4, Optional.empty()), 64, arena);
    FloatMatrix x = random(3, 4, 1);
    x.set(1, 2, Float.NaN);
    sums.add(x, lane.products());

    assertThatThrownBy(() -> write(List.of(sums)))
        .isInstanceOfSatisfying(
            EngineException.class, e -> assertThat(e.kind()).isEqualTo(FailureKind.CHECKPOINT))
        .hasMessageContaining("layers.0.in");
    assertThat(folder).isEmptyDirectory();
  }

  private MomentSums small() {
    MomentSums sums =
        new MomentSums(new MatrixInput("layers.0.in", 16, Optional.empty()), 64, arena);
    sums.add(random(100, 16, 9), lane.products());
    return sums;
  }

  private void assertThatRefused(String message) {
    assertThatThrownBy(
            () -> statistics(64).read(new MatrixInput("layers.0.in", 16, Optional.empty()), arena))
        .isInstanceOfSatisfying(
            EngineException.class, e -> assertThat(e.kind()).isEqualTo(FailureKind.RESULT))
        .hasMessageContaining(message)
        .hasMessageContaining("layer-00000");
  }

  private Path write(List<MomentSums> sums) {
    Path file = folder.resolve(ResultLayout.layerName(0));
    MomentFile.write(file, ORIGIN, sums, STOP);
    return file;
  }

  private StoredStatistics statistics(int width) {
    return new StoredStatistics(
        folder,
        channels -> MomentBlocks.of(channels, width),
        Shrinkage.NONE,
        name -> name.startsWith("layers.0.") ? OptionalInt.of(0) : OptionalInt.empty(),
        STOP);
  }

  private FloatMatrix random(int rows, int columns, long seed) {
    FloatMatrix matrix = FloatMatrix.allocate(arena, rows, columns);
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < columns; j++) {
        matrix.set(i, j, (float) random.nextGaussian());
      }
    }
    return matrix;
  }

  private static double product(FloatMatrix x, int i, int j) {
    double sum = 0;
    for (int token = 0; token < x.rows(); token++) {
      sum += (double) x.get(token, i) * x.get(token, j);
    }
    return sum;
  }
}
