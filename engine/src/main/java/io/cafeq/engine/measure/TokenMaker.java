package io.cafeq.engine.measure;

import io.cafeq.config.StatisticsSettings;
import io.cafeq.config.StatisticsSource;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.CheckpointException;
import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.compute.ComputeBackend;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.family.ModelDescription;
import io.cafeq.engine.family.Role;
import io.cafeq.engine.forward.ForwardModels;
import io.cafeq.engine.forward.SelfText;
import io.cafeq.engine.tokens.BeginningToken;
import io.cafeq.engine.tokens.TextTokenizer;
import io.cafeq.engine.transform.Seeds;
import io.cafeq.engine.weights.CheckpointWeights;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Makes the tokens of a plan; the same plan and checkpoint make the same ones. A text that is
 * longer than asked for gives windows at equal distances from its beginning to its end, so that all
 * of what it is about is seen. Each window begins with the model's {@link BeginningToken}, where it
 * has one, which is among the tokens asked for.
 */
public final class TokenMaker {
  /** Of a user's text are read: what any language needs for a token, and no less than this. */
  private static final int CHARACTERS_PER_TOKEN = 16;

  private static final int LEAST_CHARACTERS = 1 << 20;
  private static final int MOST_CHARACTERS = 1 << 28;

  private final Checkpoint checkpoint;
  private final ComputeBackend backend;
  private final long memory;
  private final StopFlag stop;

  /**
   * Borrows the checkpoint.
   *
   * @param memory native bytes that a model which writes may take
   */
  public TokenMaker(Checkpoint checkpoint, ComputeBackend backend, long memory, StopFlag stop) {
    this.checkpoint = checkpoint;
    this.backend = backend;
    this.memory = memory;
    this.stop = stop;
  }

  /**
   * Throws with kind USAGE where a text is missing, no UTF-8 or too short, CHECKPOINT where the
   * tokenizer is at fault.
   */
  public StatisticsTokens make(StatisticsPlan plan) {
    StatisticsSettings settings = plan.settings();
    return switch (plan.choice().used()) {
      case StatisticsSource.Random random ->
          new StatisticsTokens(random(plan.seed(), settings), "");
      case StatisticsSource.Self self -> new StatisticsTokens(write(plan), "");
      case StatisticsSource.BuiltInText builtIn ->
          new StatisticsTokens(
              ofText(
                  tokenizer -> tokenizer.encode(TextFiles.builtIn()),
                  "the built-in text",
                  settings),
              Digests.text(TextFiles.builtIn()));
      case StatisticsSource.TextFile(String path) -> {
        Path file = Path.of(path);
        long characters =
            Math.max(LEAST_CHARACTERS, (long) CHARACTERS_PER_TOKEN * settings.tokens());
        long read = Math.min(MOST_CHARACTERS, characters);
        yield new StatisticsTokens(
            ofText(tokenizer -> TextFiles.tokens(file, read, tokenizer), path, settings),
            TextFiles.sha256(file, stop));
      }
      case StatisticsSource.None none ->
          throw new IllegalArgumentException("no statistics are to be taken");
      case StatisticsSource.Weights weights ->
          throw new IllegalArgumentException("an estimate from the weights takes no tokens");
      case StatisticsSource.Auto auto ->
          throw new IllegalArgumentException("auto is no source by itself");
    };
  }

  private List<int[]> ofText(
      Function<TextTokenizer, int[]> text, String name, StatisticsSettings settings) {
    int[] tokens;
    try (TextTokenizer tokenizer = TextTokenizer.open(checkpoint.store())) {
      tokens = text.apply(tokenizer);
    }
    requireKnown(tokens);
    BeginningToken beginning = beginning();
    int window = Math.min(settings.window(), settings.tokens()) - beginning.count();
    if (tokens.length < window) {
      throw new EngineException(
          FailureKind.USAGE,
          name
              + ": is too short: it has "
              + tokens.length
              + " tokens, and one window has "
              + window,
          "Give a longer text, or a smaller --statistics-window.");
    }
    return spread(tokens, settings, beginning);
  }

  /**
   * Windows of tokens from all over a text, each after the beginning token; all of it where it has
   * no more than asked for.
   */
  static List<int[]> spread(int[] tokens, StatisticsSettings settings, BeginningToken beginning) {
    int window = Math.min(settings.window(), settings.tokens()) - beginning.count();
    int wanted = textTokens(settings, beginning);
    if (tokens.length <= wanted) {
      return cut(tokens, window, beginning);
    }
    int count = Math.ceilDiv(wanted, window);
    List<int[]> windows = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int length = Math.min(window, wanted - i * window);
      int first = count == 1 ? 0 : (int) ((long) i * (tokens.length - window) / (count - 1));
      windows.add(beginning.before(Arrays.copyOfRange(tokens, first, first + length)));
    }
    return windows;
  }

  private static List<int[]> cut(int[] tokens, int window, BeginningToken beginning) {
    return StatisticsTokens.cut(tokens, window).stream().map(beginning::before).toList();
  }

  /** How many of the tokens that are asked for are left beside those that windows begin with. */
  private static int textTokens(StatisticsSettings settings, BeginningToken beginning) {
    int windows = Math.ceilDiv(settings.tokens(), Math.min(settings.window(), settings.tokens()));
    return settings.tokens() - windows * beginning.count();
  }

  private BeginningToken beginning() {
    try (CheckpointWeights weights = CheckpointWeights.of(checkpoint)) {
      return ForwardModels.beginningToken(weights);
    }
  }

  private void requireKnown(int[] tokens) {
    int vocabulary = vocabulary();
    for (int token : tokens) {
      if (token >= vocabulary) {
        throw new CheckpointException(
            checkpoint.location()
                + ": tokenizer.json has the token "
                + token
                + ", but the model knows "
                + vocabulary,
            "Take the tokenizer.json that belongs to this model, or run again with --statistics"
                + " random.");
      }
    }
  }

  private List<int[]> random(long seed, StatisticsSettings settings) {
    BeginningToken beginning = beginning();
    int[] ordinary = ordinary();
    SplittableRandom random = new SplittableRandom(Seeds.of(seed, "", 0, "random tokens"));
    int[] tokens = new int[textTokens(settings, beginning)];
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] = ordinary[random.nextInt(ordinary.length)];
    }
    return cut(tokens, settings.window() - beginning.count(), beginning);
  }

  private int[] ordinary() {
    int[] ordinary = IntStream.range(0, vocabulary()).filter(special().negate()).toArray();
    return ordinary.length > 0 ? ordinary : new int[] {0};
  }

  /**
   * Tokens that stand for no text, as far as config.json and the tokenizer, if there is one, say.
   */
  private IntPredicate special() {
    TreeSet<Integer> special = new TreeSet<>(checkpoint.config().text().specialTokens());
    if (checkpoint.store().find(TextTokenizer.FILE).isPresent()) {
      try (TextTokenizer tokenizer = TextTokenizer.open(checkpoint.store())) {
        special.addAll(tokenizer.specialIds());
      } catch (EngineException unusable) {
        // such tokens are what is left where the tokenizer is of no use
        special.add(-1);
      }
    }
    return special::contains;
  }

  /**
   * Entries of the embedding; not all of them need have a token, but those beyond {@code
   * vocab_size} have none.
   */
  private int vocabulary() {
    ModelDescription model = ModelDescription.of(checkpoint);
    // a tied embedding may be stored under the name of the head alone
    long entries =
        Stream.concat(
                checkpoint.tensors().stream().map(TensorInfo::name),
                checkpoint.aliases().keySet().stream())
            .filter(name -> model.family().place(name).role() == Role.EMBEDDING)
            .map(name -> checkpoint.aliases().getOrDefault(name, name))
            .flatMap(name -> checkpoint.tensor(name).stream())
            .filter(TensorInfo::isMatrix)
            .mapToLong(tensor -> tensor.shape().getFirst())
            .max()
            .orElseThrow(
                () ->
                    new CheckpointException(
                        checkpoint.location() + ": has no embedding of tokens",
                        "Download the checkpoint again."));
    return (int) Math.min(model.config().text().vocabulary().orElse(Integer.MAX_VALUE), entries);
  }

  private List<int[]> write(StatisticsPlan plan) {
    StatisticsSettings settings = plan.settings();
    int length = Math.min(settings.window(), settings.tokens());
    int count = Math.ceilDiv(settings.tokens(), length);
    List<int[]> windows;
    try (CheckpointWeights weights = CheckpointWeights.of(checkpoint);
        ComputeLane lane = backend.openLane()) {
      windows =
          new ArrayList<>(
              SelfText.write(
                  weights,
                  lane.products(),
                  count,
                  length,
                  Seeds.of(plan.seed(), "", 0, "written tokens"),
                  memory,
                  stop,
                  special()));
    }
    int last = settings.tokens() - (count - 1) * length;
    windows.set(count - 1, Arrays.copyOf(windows.getLast(), last));
    return windows;
  }
}
