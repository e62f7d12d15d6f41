package io.cafeq.config;

import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigValue;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;

/** Makes the records out of the values that hold, with every range in one place. */
final class SettingsReader {
  private static final int LARGEST_GROUP = 65536;
  private static final int LEAST_BLOCK = 8;
  private static final int LARGEST_BLOCK = 256;
  private static final int LARGEST_HADAMARD = 1024;
  private static final Set<String> OVERRIDE_KEYS =
      Set.of("pattern", "bits", "group", "block", "side", "method", "scales");

  private final SortedMap<String, Given> values;
  private final List<Problem> problems;
  private final ValueReader reader;

  SettingsReader(SortedMap<String, Given> values, List<Problem> problems) {
    this.values = values;
    this.problems = problems;
    this.reader = new ValueReader(values, problems);
  }

  /** After a problem the orElse values fill the record, which is then discarded. */
  Recipe recipe() {
    Method method = reader.choice("recipe.method", Method.class).orElse(Method.NONE);
    List<TensorOverride> overrides = overrides();
    return new Recipe(
        method,
        reader.choice("recipe.target", Target.class).orElse(Target.NONE),
        reader.decimalOr("recipe.target-bpw", "none", 2, 16),
        grid(),
        transform(method, overrides),
        reader.choice("recipe.rounding", Rounding.class).orElse(Rounding.NEAREST),
        pairs(),
        statistics(),
        reader.flag("recipe.fall-back"),
        reader.flagOr("recipe.baselines", "auto"),
        reader.wide("recipe.seed").orElse(0),
        new TensorSelection(
            reader.integerOr("recipe.tensors.embeddings", "none", 2, 8),
            reader.patterns("recipe.tensors.include"),
            reader.patterns("recipe.tensors.exclude"),
            overrides));
  }

  private GridSettings grid() {
    return new GridSettings(
        reader.integerOr("recipe.grid.bits", "auto", 2, 8),
        reader.integerOrZeroOr("recipe.grid.group", "auto", "channel", LARGEST_GROUP),
        reader.choiceOr("recipe.grid.scales", "auto", ScaleStorage.class),
        reader.eightOrSix("recipe.grid.scale-bits").orElse(8),
        reader.flag("recipe.grid.clip"),
        reader.flag("recipe.grid.column-scales"));
  }

  private TransformSettings transform(Method method, List<TensorOverride> overrides) {
    String key = "recipe.transform.block";
    OptionalInt block = reader.powerOfTwoOr(key, "auto", LEAST_BLOCK, LARGEST_HADAMARD);
    boolean hadamardSomewhere =
        method == Method.HADAMARD
            || overrides.stream()
                .anyMatch(override -> override.method().equals(Optional.of(Method.HADAMARD)));
    if (block.orElse(0) > LARGEST_BLOCK && !hadamardSomewhere) {
      blockNeedsHadamard(key, given(key), block.getAsInt());
    }
    return new TransformSettings(
        block,
        reader.choiceOr("recipe.transform.side", "auto", Side.class),
        reader.decimal("recipe.transform.bits", 0, 16).orElse(0),
        reader.choiceOr("recipe.transform.storage", "auto", TransformStorage.class),
        reader.choice("recipe.transform.loss", Loss.class).orElse(Loss.P_NORM),
        reader.integer("recipe.transform.steps", 1, 100_000).orElse(1));
  }

  private StatisticsSettings statistics() {
    return new StatisticsSettings(
        reader.statisticsSource("recipe.statistics.source").orElseGet(StatisticsSource.None::new),
        reader.integer("recipe.statistics.tokens", 64, 1 << 24).orElse(64),
        reader.integer("recipe.statistics.window", 16, 1 << 15).orElse(16),
        reader.integer("recipe.statistics.width", 64, 1 << 15).orElse(64),
        reader.decimalOr("recipe.statistics.shrinkage", "auto", 0, 1),
        reader.decimal("recipe.statistics.damping", 1e-6, 10).orElse(1));
  }

  private PairSettings pairs() {
    return new PairSettings(
        reader.flag("recipe.pairs.enabled"),
        reader.choice("recipe.pairs.loss", PairLoss.class).orElse(PairLoss.EXPECTED_ERROR),
        reader.decimal("recipe.pairs.temperature", 0.1, 100).orElse(1),
        reader.choice("recipe.pairs.optimizer", PairOptimizer.class).orElse(PairOptimizer.ADAM),
        reader.decimal("recipe.pairs.orthogonality", 0, 10).orElse(0),
        reader.integer("recipe.pairs.steps", 1, 1_000_000).orElse(1),
        reader.decimalOr("recipe.pairs.rate", "auto", 1e-6, 1),
        reader.choice("recipe.pairs.rounding", PairRounding.class).orElse(PairRounding.NEAREST),
        reader.integer("recipe.pairs.iterations", 1, 20).orElse(1),
        reader.flag("recipe.pairs.reverse"));
  }

  RunSettings run() {
    return new RunSettings(
        reader.sizeOr("run.max-memory", "auto", RunSettings.LEAST_MEMORY),
        reader.integerOr("run.lanes", "auto", 1, 1024),
        reader.nameOr("run.backend", "auto"),
        reader.flag("run.verify"),
        reader.choiceOr("run.progress", "auto", ProgressStyle.class),
        reader.decimal("run.minimum-coverage", 0, 1).orElse(0));
  }

  RemoteSettings remote() {
    long rangeSize = reader.size("remote.range-size", 1 << 20, 8 << 20).orElse(1 << 20);
    return new RemoteSettings(
        reader.address("remote.hub").orElse(""),
        reader.variable("remote.token-variable").orElse(""),
        reader.integer("remote.parallel-reads", 1, 32).orElse(1),
        rangeSize,
        reader.size("remote.range-memory", 2 * rangeSize, 1L << 34).orElse(rangeSize),
        reader.integer("remote.connect-timeout", 1, 600).orElse(1),
        reader.integer("remote.stall-timeout", 1, 600).orElse(1),
        reader.integer("remote.retries", 0, 100).orElse(0),
        reader.integer("remote.retry-delay", 1, 60_000).orElse(1));
  }

  private List<TensorOverride> overrides() {
    List<TensorOverride> overrides = new ArrayList<>();
    for (Map.Entry<String, Given> element : reader.objects("recipe.tensors.overrides")) {
      if (element.getValue().value() instanceof ConfigObject object) {
        overrides.add(override(element.getKey(), object, element.getValue()));
      }
    }
    return overrides;
  }

  private TensorOverride override(String path, ConfigObject object, Given whole) {
    SortedMap<String, Given> entries = new TreeMap<>();
    for (String key : new TreeSet<>(object.keySet())) {
      ConfigValue value = Objects.requireNonNull(object.get(key));
      String origin = ValueReader.originOf(value, whole);
      if (OVERRIDE_KEYS.contains(key)) {
        entries.put(path + "." + key, new Given(value, origin));
      } else {
        problems.add(unknownOverride(path + "." + key, key, origin));
      }
    }
    ValueReader one = new ValueReader(entries, problems);
    String pattern = path + ".pattern";
    if (!one.has(pattern)) {
      problems.add(
          new Problem(
              pattern,
              whole.origin(),
              "nothing",
              "a regular expression in quotes",
              "Say which tensors are meant; \".*\" is all of them."));
    }
    String block = path + ".block";
    OptionalInt blockSize =
        one.has(block) ? one.powerOfTwo(block, LEAST_BLOCK, LARGEST_HADAMARD) : OptionalInt.empty();
    Optional<Method> method =
        one.has(path + ".method") ? one.choice(path + ".method", Method.class) : Optional.empty();
    if (blockSize.orElse(0) > LARGEST_BLOCK
        && method.isPresent()
        && method.get() != Method.HADAMARD) {
      blockNeedsHadamard(block, Objects.requireNonNull(entries.get(block)), blockSize.getAsInt());
    }
    return new TensorOverride(
        one.has(pattern) ? one.pattern(pattern).orElse("") : "",
        one.has(path + ".bits") ? one.integer(path + ".bits", 2, 8) : OptionalInt.empty(),
        one.has(path + ".group")
            ? one.integerOrZero(path + ".group", "channel", LARGEST_GROUP)
            : OptionalInt.empty(),
        blockSize,
        one.has(path + ".side") ? one.choice(path + ".side", Side.class) : Optional.empty(),
        method,
        one.has(path + ".scales")
            ? one.choice(path + ".scales", ScaleStorage.class)
            : Optional.empty());
  }

  private static Problem unknownOverride(String path, String key, String origin) {
    String remedy =
        Spelling.suggestion(key, OVERRIDE_KEYS)
            .map(near -> "Did you mean " + near + "?")
            .orElse("The keys are " + String.join(", ", new TreeSet<>(OVERRIDE_KEYS)) + ".");
    return new Problem(path, origin, "an unknown key", "a key of an override", remedy);
  }

  private void blockNeedsHadamard(String key, Given given, int block) {
    problems.add(
        new Problem(
            key,
            given.origin(),
            Integer.toString(block),
            "at most " + LARGEST_BLOCK + " unless the method is hadamard",
            "Take a smaller block, or method hadamard."));
  }

  private Given given(String key) {
    return Objects.requireNonNull(values.get(key), key);
  }
}
