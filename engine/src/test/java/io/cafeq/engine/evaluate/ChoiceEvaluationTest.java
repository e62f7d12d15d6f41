package io.cafeq.engine.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.engine.compute.Backends;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.model.Miniature;
import io.cafeq.engine.tokens.BeginningToken;
import io.cafeq.engine.tokens.TextTokenizer;
import io.cafeq.engine.tokens.Tokenizers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChoiceEvaluationTest {
  private static final long PLENTY = 256L << 20;

  @TempDir Path folder;

  @BeforeEach
  void writeTokenizer() throws IOException {
    Tokenizers.write(folder);
  }

  @Test
  void likelihoodsAreThoseInDouble() {
    Miniature miniature = Miniature.of("llama", 1);
    miniature.write(folder, Miniature.Spread.ONE);
    List<Question> questions =
        List.of(
            new Question("abc ", List.of("a", "bb", "c a b"), 1),
            new Question("c", List.of("abcabcabcabcabc", "b"), 0),
            new Question("bca bca", List.of(" ab", "ccc"), 0));
    // By hand: the blank at the end goes to the choice, "ab" is one token.
    int[][][] tokens = {
      {{3, 2, 4, 0}, {3, 2, 4, 1, 1}, {3, 2, 4, 2, 4, 0, 4, 1}},
      {{2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2}, {2, 1}},
      {{1, 2, 0, 4, 1, 2, 0, 4, 3}, {1, 2, 0, 4, 1, 2, 0, 2, 2, 2}}
    };
    int[] contexts = {2, 1, 7};
    double[][] found = likelihoods(questions);
    for (int i = 0; i < tokens.length; i++) {
      for (int choice = 0; choice < tokens[i].length; choice++) {
        int[] all = tokens[i][choice];
        List<double[]> logs = Evaluations.logSoftmax(miniature, all);
        double expected = 0;
        for (int token = contexts[i]; token < all.length; token++) {
          expected += logs.get(token - 1)[all[token]];
        }
        assertThat(found[i][choice])
            .as("question %d, choice %d", i, choice)
            .isCloseTo(expected, within(1e-3));
      }
    }
    ChoiceScore score = score(questions);
    assertThat(score.questions()).isEqualTo(3);
    double[] characters = {1, 2, 5, 15, 1, 2, 3};
    int at = 0;
    int right = 0;
    int rightNormalised = 0;
    for (int i = 0; i < found.length; i++) {
      int best = 0;
      int bestNormalised = 0;
      for (int choice = 1; choice < found[i].length; choice++) {
        best = found[i][choice] > found[i][best] ? choice : best;
        bestNormalised =
            found[i][choice] / characters[at + choice]
                    > found[i][bestNormalised] / characters[at + bestNormalised]
                ? choice
                : bestNormalised;
      }
      at += found[i].length;
      right += best == questions.get(i).answer() ? 1 : 0;
      rightNormalised += bestNormalised == questions.get(i).answer() ? 1 : 0;
    }
    assertThat(score.accuracy()).isEqualTo(right / 3.0);
    assertThat(score.normalisedAccuracy()).isEqualTo(rightNormalised / 3.0);
  }

  @Test
  void manyQuestionsOfAllLengthsAreScoredAsEachByItself() {
    Miniature.of("qwen2", 1).write(folder, Miniature.Spread.ONE);
    List<Question> questions =
        List.of(
            new Question("a", List.of("a", "c"), 0),
            new Question("abcabc".repeat(4), List.of("b".repeat(20), "c"), 0),
            new Question("ab", List.of("c".repeat(60), "c"), 1));
    double[][] together = likelihoods(questions);
    for (int i = 0; i < questions.size(); i++) {
      double[] alone = likelihoods(List.of(questions.get(i)))[0];
      for (int choice = 0; choice < alone.length; choice++) {
        assertThat(together[i][choice]).isCloseTo(alone[choice], within(1e-3));
      }
    }
  }

  /** The longest choice comes last, when all others are scored. */
  @Test
  void tooLittleMemoryForTheLongestChoiceShowsBeforeTheFirst() {
    Miniature.of("llama", 1).write(folder, Miniature.Spread.ONE);
    Question small = new Question("a", List.of("a", "c"), 0);
    List<Question> questions = List.of(small, new Question("a", List.of("c".repeat(6000), "c"), 0));
    long memory = 96L << 20;
    assertThat(Evaluations.choices(folder, List.of(small), memory)).hasDimensions(1, 2);
    List<Long> began = new ArrayList<>();
    EvaluationWatcher watcher =
        new EvaluationWatcher() {
          @Override
          public void began(long steps) {
            began.add(steps);
          }

          @Override
          public void advanced() {}
        };
    try (EvaluatedModel model = EvaluatedModel.open(folder);
        ComputeLane lane = Backends.open("auto").openLane()) {
      Resources resources =
          new Resources(lane.products(), memory, 0, folder, new StopFlag(), watcher);
      ChoiceEvaluation evaluation = Evaluations.choices(folder, resources, questions);
      assertThatThrownBy(() -> evaluation.score(model))
          .isInstanceOfSatisfying(
              EngineException.class,
              e -> {
                assertThat(e.kind()).isEqualTo(FailureKind.USAGE);
                assertThat(e.remedy()).contains("--max-memory");
              });
    }
    assertThat(began).isEmpty();
  }

  @Test
  void whatIsTooLongLosesItsBeginning() {
    try (TextTokenizer tokenizer = TextTokenizer.open(folder)) {
      Question question = new Question("cbacba", List.of("cc", "c"), 0);
      ChoiceTokens cut =
          ChoiceTokens.of(0, question, tokenizer, OptionalInt.of(4), BeginningToken.NONE)
              .getFirst();
      assertThat(cut.inputs()).containsExactly(2, 1, 0, 2);
      assertThat(cut.targets()).containsExactly(2, 2);
      assertThat(cut.firstPredicting()).isEqualTo(2);
      assertThatThrownBy(
              () -> ChoiceTokens.of(0, question, tokenizer, OptionalInt.of(1), BeginningToken.NONE))
          .isInstanceOf(EngineException.class)
          .hasMessageContaining("question 1");
    }
  }

  @Test
  void theBeginningTokenStaysWhatIsTooLong() {
    BeginningToken seven = new BeginningToken(OptionalInt.of(7));
    Question question = new Question("cbacba", List.of("cc", "c"), 0);
    try (TextTokenizer tokenizer = TextTokenizer.open(folder)) {
      ChoiceTokens whole =
          ChoiceTokens.of(0, question, tokenizer, OptionalInt.empty(), seven).getFirst();
      assertThat(whole.inputs()).containsExactly(7, 2, 1, 0, 2, 1, 0, 2);
      assertThat(whole.firstPredicting()).isEqualTo(6);
      ChoiceTokens cut =
          ChoiceTokens.of(0, question, tokenizer, OptionalInt.of(4), seven).getFirst();
      assertThat(cut.inputs()).containsExactly(7, 1, 0, 2);
      assertThat(cut.length()).isEqualTo(4);
      assertThat(cut.firstPredicting()).isEqualTo(2);
      assertThatThrownBy(() -> ChoiceTokens.of(0, question, tokenizer, OptionalInt.of(2), seven))
          .isInstanceOf(EngineException.class)
          .hasMessageContaining("the model takes 1");
    }
  }

  @Test
  void choicesShareTheTokensOfTheirContext() {
    try (TextTokenizer tokenizer = TextTokenizer.open(folder)) {
      List<ChoiceTokens> choices =
          ChoiceTokens.of(
              0,
              new Question("cba", List.of("cc", "c", "bc"), 0),
              tokenizer,
              OptionalInt.empty(),
              BeginningToken.NONE);
      assertThat(choices.get(1).context()).isSameAs(choices.get(0).context());
      // "ab" is one token, so this one changes its context
      assertThat(choices.get(2).context()).containsExactly(2, 1, 3);
      assertThat(choices.get(2).targets()).containsExactly(2);
    }
  }

  @Test
  void runsAreOfSimilarLengthsAndNoLongerThanALayerShouldTake() {
    List<ChoiceTokens> choices =
        IntStream.range(0, 300)
            .mapToObj(
                i ->
                    new ChoiceTokens(
                        i,
                        0,
                        BeginningToken.NONE,
                        new int[400 + i % 3],
                        400 + i % 3,
                        new int[] {1}))
            .toList();
    List<List<ChoiceTokens>> runs = ChoiceEvaluation.runs(choices);
    assertThat(runs).hasSize(2);
    assertThat(runs.stream().flatMap(List::stream)).containsExactlyInAnyOrderElementsOf(choices);
    assertThat(runs)
        .allSatisfy(
            run ->
                assertThat(run.stream().mapToLong(ChoiceTokens::length).sum())
                    .isLessThanOrEqualTo(ChoiceEvaluation.MOST_TOKENS));
    assertThat(runs.getFirst().stream().mapToLong(ChoiceTokens::length).sum())
        .isGreaterThan(ChoiceEvaluation.MOST_TOKENS - 500);
  }

  @Test
  void moreTokensThanArePredictedTogetherAreScoredAsEachByItself() {
    Miniature.of("llama", 1).write(folder, Miniature.Spread.ONE);
    List<Question> questions =
        List.of(
            new Question("a", List.of("c".repeat(230), "b".repeat(240)), 0),
            new Question("b", List.of("ca".repeat(120), "cb".repeat(125)), 1));
    try (TextTokenizer tokenizer = TextTokenizer.open(folder)) {
      ChoiceQuestions added =
          new ChoiceQuestions(tokenizer, OptionalInt.empty(), BeginningToken.NONE);
      questions.forEach(added::add);
      assertThat(ChoiceEvaluation.runs(added.choices())).hasSize(1);
      assertThat(added.choices().stream().mapToInt(choice -> choice.targets().length).sum())
          .isGreaterThan(512);
    }
    double[][] together = likelihoods(questions);
    for (int i = 0; i < questions.size(); i++) {
      double[] alone = likelihoods(List.of(questions.get(i)))[0];
      for (int choice = 0; choice < alone.length; choice++) {
        assertThat(together[i][choice]).isCloseTo(alone[choice], within(1e-2)).isNegative();
      }
    }
  }

  @Test
  void contextsOfAGemmaBeginWithItsToken() {
    Miniature miniature = Miniature.of("gemma2", 1);
    miniature.write(folder, Miniature.Spread.ONE);
    int[] tokens = {2, 3, 2, 0};
    List<double[]> logs = Evaluations.logSoftmax(miniature, tokens);
    assertThat(likelihoods(List.of(new Question("abc", List.of("a", "b"), 0)))[0][0])
        .isCloseTo(logs.get(2)[0], within(1e-3));
  }

  @Test
  void aChoiceThatMeltsIntoTheContextIsRefused() {
    try (TextTokenizer tokenizer = TextTokenizer.open(folder)) {
      assertThatThrownBy(
              () ->
                  ChoiceTokens.of(
                      0,
                      new Question("a", List.of("b", "c"), 0),
                      tokenizer,
                      OptionalInt.empty(),
                      BeginningToken.NONE))
          .isInstanceOfSatisfying(
              EngineException.class, e -> assertThat(e.kind()).isEqualTo(FailureKind.USAGE));
    }
  }

  @Test
  void standardErrorsAreThoseOfAShare() {
    ChoiceScore score = new ChoiceScore(5, 0.4, 1);
    assertThat(score.standardError().orElseThrow()).isCloseTo(Math.sqrt(0.3 / 5), within(1e-12));
    assertThat(score.normalisedStandardError()).contains(0.0);
    assertThat(new ChoiceScore(1, 1, 1).standardError()).isEmpty();
  }

  @Test
  void readsQuestionsLineByLine() throws IOException {
    Path file =
        Files.writeString(
            folder.resolve("questions.jsonl"),
            """
            {"context": "Who?", "choices": ["I", "you"], "answer": 1}

            {"answer": 0, "choices": [" x", "y", "z"], "context": "\\u00e4 "}
            """);
    assertThat(read(file))
        .containsExactly(
            new Question("Who?", List.of("I", "you"), 1),
            new Question("\u00e4 ", List.of(" x", "y", "z"), 0));
  }

  @Test
  void namesFileAndLineOfWhatIsWrong() throws IOException {
    Map<String, String> wrong =
        Map.ofEntries(
            Map.entry("{", "JSON"),
            Map.entry("[]", "object"),
            Map.entry("{\"context\": \"a\", \"choices\": [\"b\", \"c\"]}", "answer"),
            Map.entry("{\"context\": \"a\", \"choices\": [\"b\", \"c\"], \"answer\": 2}", "0 to 1"),
            Map.entry(
                "{\"context\": \"a\", \"choices\": [\"b\", \"c\"], \"answer\": -1}", "0 to 1"),
            Map.entry(
                "{\"context\": \"a\", \"choices\": [\"b\", \"c\"], \"answer\": \"0\"}", "answer"),
            Map.entry("{\"context\": \"a\", \"choices\": [\"b\"], \"answer\": 0}", "two"),
            Map.entry("{\"context\": \"a\", \"choices\": [\"b\", 1], \"answer\": 0}", "choices"),
            Map.entry("{\"context\": \"a\", \"choices\": \"b\", \"answer\": 0}", "choices"),
            Map.entry("{\"context\": \" \", \"choices\": [\"b\", \"c\"], \"answer\": 0}", "blank"),
            Map.entry("{\"context\": \"a\", \"choices\": [\"b\", \" \"], \"answer\": 0}", "blank"),
            Map.entry("{\"ctx\": \"a\", \"choices\": [\"b\", \"c\"], \"answer\": 0}", "ctx"));
    String good = "{\"context\": \"a\", \"choices\": [\"b\", \"c\"], \"answer\": 0}\n";
    Path file = folder.resolve("questions.jsonl");
    for (Map.Entry<String, String> each : wrong.entrySet()) {
      Files.writeString(file, good + each.getKey() + "\n" + good);
      assertThatThrownBy(() -> read(file))
          .as(each.getKey())
          .isInstanceOfSatisfying(
              EngineException.class,
              e -> {
                assertThat(e.kind()).isEqualTo(FailureKind.USAGE);
                assertThat(e.getMessage()).contains(file + ", line 2", each.getValue());
              });
    }
    Files.writeString(file, "\n");
    assertThatThrownBy(() -> read(file))
        .isInstanceOf(EngineException.class)
        .hasMessageContaining("no questions");
    Files.write(file, new byte[] {(byte) 0xff});
    assertThatThrownBy(() -> read(file))
        .isInstanceOf(EngineException.class)
        .hasMessageContaining("UTF-8");
  }

  @Test
  void aLineThatIsTooLongIsNamed() throws IOException {
    String good = "{\"context\": \"a\", \"choices\": [\"b\", \"c\"], \"answer\": 0}\r\n";
    String blanks = " ".repeat(QuestionFile.MOST_CHARACTERS - good.length() + 1);
    Path file = Files.writeString(folder.resolve("questions.jsonl"), good + blanks + good + good);
    assertThat(read(file)).hasSize(3);
    Files.writeString(file, good + "  " + blanks + good);
    assertThatThrownBy(() -> read(file))
        .isInstanceOfSatisfying(
            EngineException.class,
            e -> {
              assertThat(e.kind()).isEqualTo(FailureKind.USAGE);
              assertThat(e.getMessage())
                  .contains(file + ", line 2", "longer than 1,048,576 characters");
              assertThat(e.remedy()).contains("shorten");
            });
  }

  private static List<Question> read(Path file) {
    List<Question> questions = new ArrayList<>();
    QuestionFile.forEach(file, questions::add);
    return questions;
  }

  private double[][] likelihoods(List<Question> questions) {
    try (EvaluatedModel model = EvaluatedModel.open(folder)) {
      return Evaluations.with(
          folder,
          PLENTY,
          resources -> evaluation(resources, model, questions).logLikelihoods(model));
    }
  }

  private ChoiceScore score(List<Question> questions) {
    try (EvaluatedModel model = EvaluatedModel.open(folder)) {
      return Evaluations.with(
          folder, PLENTY, resources -> evaluation(resources, model, questions).score(model));
    }
  }

  private ChoiceEvaluation evaluation(
      Resources resources, EvaluatedModel model, List<Question> questions) {
    try (TextTokenizer tokenizer = TextTokenizer.open(folder)) {
      ChoiceQuestions added =
          new ChoiceQuestions(tokenizer, OptionalInt.empty(), model.beginningToken());
      questions.forEach(added::add);
      return new ChoiceEvaluation(resources, added);
    }
  }
}
