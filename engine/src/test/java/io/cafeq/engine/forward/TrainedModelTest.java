package io.cafeq.engine.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import io.cafeq.engine.compute.Numerics;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Perplexities of a trained model are those of an independent script in another language. */
@Numerics
class TrainedModelTest {
  private static final int WINDOWS = 8;
  private static final int LENGTH = 512;
  private static final int CHARACTERS = 400_000;

  @ParameterizedTest
  @CsvSource({"tinystories.txt, 49.3586", "wikitext2-test-tokenised.txt, 1107.4968"})
  void perplexityIsThatOfTheScript(String text, double expected) throws IOException {
    Optional<Path> shared =
        Stream.iterate(Path.of("").toAbsolutePath(), path -> path != null, Path::getParent)
            .map(path -> path.resolve("shared/data"))
            .filter(path -> Files.isDirectory(path.resolve("tinystories-656k")))
            .findFirst();
    assumeTrue(shared.isPresent(), "no shared/data/tinystories-656k beside the repository");
    Path folder = shared.get().resolve("tinystories-656k");
    List<int[]> windows =
        windows(folder, Files.readString(shared.get().resolve("text").resolve(text)));
    List<double[]> logits = Logits.of(folder, windows);
    double sum = 0;
    for (int window = 0; window < WINDOWS; window++) {
      for (int token = 0; token + 1 < LENGTH; token++) {
        sum += loss(logits.get(window * LENGTH + token), windows.get(window)[token + 1]);
      }
    }
    assertThat(Math.exp(sum / (WINDOWS * (LENGTH - 1))))
        .isCloseTo(expected, within(1e-3 * expected));
  }

  private static List<int[]> windows(Path folder, String text) throws IOException {
    String start = text.substring(0, Math.min(CHARACTERS, text.length()));
    try (HuggingFaceTokenizer tokenizer =
        HuggingFaceTokenizer.builder()
            .optTokenizerPath(folder.resolve("tokenizer.json"))
            .optTruncation(false)
            .optPadding(false)
            .build()) {
      int[] tokens =
          Arrays.stream(tokenizer.encode(start, false, false).getIds())
              .mapToInt(Math::toIntExact)
              .toArray();
      List<int[]> windows = new ArrayList<>();
      for (int window = 0; window < WINDOWS; window++) {
        windows.add(Arrays.copyOfRange(tokens, window * LENGTH, (window + 1) * LENGTH));
      }
      return windows;
    }
  }

  private static double loss(double[] logits, int next) {
    double largest = Arrays.stream(logits).max().orElseThrow();
    return Math.log(Arrays.stream(logits).map(x -> Math.exp(x - largest)).sum())
        + largest
        - logits[next];
  }
}
