package io.cafeq.tools;

import static java.util.Map.entry;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Choices of a recipe with one another on a tiny model: done, and proven against the source. Every
 * two choices meet; the slow test has every combination of those that decide about a transform.
 */
class CombinationsTest {
  private static final List<String> SCALES =
      List.of("symmetric", "zero-point", "offset", "f16", "f16-minimum");
  private static final List<String> STORAGES = List.of("int8", "bf16");
  private static final List<String> ROUNDINGS = List.of("nearest", "nearest-plane", "stochastic");

  @TempDir static Path folder;

  private static Path model;

  @BeforeAll
  static void writeModel() throws Exception {
    HandMadeModel tensors = new HandMadeModel();
    String attention = "model.layers.0.self_attn.";
    tensors
        .matrix(attention + "q_proj.weight", 48, 40, HandMadeModel.ordinary(1))
        .matrix(attention + "k_proj.weight", 16, 40, HandMadeModel.ordinary(2))
        .matrix(attention + "v_proj.weight", 16, 40, HandMadeModel.ordinary(3))
        .matrix(attention + "o_proj.weight", 40, 48, HandMadeModel.ordinary(5))
        .config(
            """
            {"model_type": "llama", "hidden_size": 40, "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 8,
             "num_hidden_layers": 1}
            """)
        .matrix(HandMadeModel.down(0), 40, 96, HandMadeModel.ordinary(4))
        .tensor("model.norm.weight", "[40]", 40, index -> 1);
    model = tensors.write(folder.resolve("model"));
  }

  /** What may be chosen; a choice with dashes is a switch, an empty one is left out. */
  private static final Map<String, List<String>> CHOICES =
      Map.ofEntries(
          entry("method", List.of("cafeq", "rotation", "hadamard", "rtn")),
          entry("scales", SCALES),
          entry("side", List.of("input", "output", "auto")),
          entry("rounding", ROUNDINGS),
          entry("transform-storage", STORAGES),
          entry("loss", List.of("hard", "p-norm")),
          entry("bits", List.of("2", "3", "4", "5", "6", "7", "8")),
          entry("scale-bits", List.of("6", "8")),
          entry("group", List.of("8", "channel", "20", "64")),
          entry("block", List.of("8", "16", "32", "auto")),
          entry("clip", List.of("--clip", "--no-clip")),
          entry("fall-back", List.of("--fall-back", "--no-fall-back")),
          entry("backend", List.of("nd4j", "scalar")),
          entry("pairs", List.of("--pairs", "--no-pairs")),
          entry(
              "pair-loss",
              List.of(
                  "expected-error", "log-sum-exp", "sum-of-squares", "weighted-sum-of-squares")),
          entry("pair-optimizer", List.of("cayley", "adam")),
          entry("pair-orthogonality", List.of("", "0", "0.5")),
          entry("pair-rounding", List.of("nearest-plane", "algorithm-1", "nearest")),
          entry("pair-iterations", List.of("1", "2", "3")),
          entry("pair-temperature", List.of("5", "0.5")),
          entry("pair-rate", List.of("auto", "0.01")),
          entry("pair-reverse", List.of("--pair-reverse", "--no-pair-reverse")));

  static Stream<List<String>> everyTwo() {
    return Pairwise.rows(CHOICES, CombinationsTest::possible, 20260303).stream()
        .map(CombinationsTest::options);
  }

  /** Plain rounding has no transform, and an orthogonal one needs no penalty. */
  private static SortedMap<String, String> possible(SortedMap<String, String> row) {
    if ("rtn".equals(row.get("method"))) {
      row.put("side", "auto");
      row.put("transform-storage", "int8");
      row.replace("rounding", "nearest-plane", "nearest");
    }
    if ("cayley".equals(row.get("pair-optimizer"))) {
      row.put("pair-orthogonality", "");
    }
    return row;
  }

  private static List<String> options(Map<String, String> row) {
    List<String> options = new ArrayList<>(List.of("--pair-steps", "3"));
    row.forEach(
        (name, choice) -> {
          if (choice.startsWith("--")) {
            options.add(choice);
          } else if (!choice.isEmpty()) {
            options.addAll(List.of("--" + name, choice));
          }
        });
    return options;
  }

  static Stream<List<String>> combinations() {
    List<List<String>> all = new ArrayList<>();
    int number = 0;
    for (String method : List.of("cafeq", "rotation", "hadamard", "rtn")) {
      for (String scales : SCALES) {
        for (String side :
            method.equals("rtn") ? List.of("auto") : List.of("input", "output", "auto")) {
          for (String rounding :
              method.equals("rtn") ? List.of("nearest", "stochastic") : ROUNDINGS) {
            for (String storage : method.equals("rtn") ? List.of("int8") : STORAGES) {
              // The other choices change from case to case, so that each meets each several times.
              all.add(
                  new ArrayList<>(
                      List.of(
                          "--method",
                          method,
                          "--scales",
                          scales,
                          "--side",
                          side,
                          "--rounding",
                          rounding,
                          "--loss",
                          number % 4 == 1 ? "hard" : "p-norm",
                          "--transform-storage",
                          storage,
                          "--bits",
                          Integer.toString(2 + number % 7),
                          "--scale-bits",
                          number % 3 == 0 ? "6" : "8",
                          "--group",
                          List.of("8", "channel", "20", "64").get(number % 4),
                          "--block",
                          List.of("8", "16", "32", "auto").get(number / 4 % 4),
                          number % 5 == 0 ? "--no-clip" : "--clip",
                          number % 2 == 0 ? "--no-fall-back" : "--fall-back",
                          "--backend",
                          number % 11 == 0 ? "nd4j" : "scalar")));
              all.getLast().addAll(pair(number));
              number++;
            }
          }
        }
      }
    }
    all.add(List.of("--method", "none", "--backend", "scalar"));
    return all.stream();
  }

  /** What is done to the pair of values and outputs. */
  private static List<String> pair(int number) {
    boolean cayley = number % 3 == 1;
    List<String> options =
        new ArrayList<>(
            List.of(
                number % 6 == 5 ? "--no-pairs" : "--pairs",
                "--pair-steps",
                "3",
                "--pair-loss",
                List.of(
                        "expected-error",
                        "log-sum-exp",
                        "sum-of-squares",
                        "weighted-sum-of-squares")
                    .get(number % 4),
                "--pair-optimizer",
                cayley ? "cayley" : "adam",
                "--pair-rounding",
                List.of("nearest-plane", "algorithm-1", "nearest").get(number / 2 % 3),
                "--pair-iterations",
                Integer.toString(1 + number % 3),
                "--pair-temperature",
                List.of("5", "0.5").get(number % 2),
                "--pair-rate",
                List.of("auto", "0.01").get(number / 3 % 2),
                number % 5 == 2 ? "--pair-reverse" : "--no-pair-reverse"));
    if (!cayley) {
      options.addAll(List.of("--pair-orthogonality", number % 7 == 0 ? "0.5" : "0"));
    }
    return options;
  }

  @ParameterizedTest
  @MethodSource("everyTwo")
  void everyTwoChoicesAreDoneAndVerify(List<String> options) throws Exception {
    assertThatDoneAndVerified(options);
  }

  @Tag("slow")
  @ParameterizedTest
  @MethodSource("combinations")
  void everyCombinationIsDoneAndVerifies(List<String> options) throws Exception {
    assertThatDoneAndVerified(options);
  }

  private static void assertThatDoneAndVerified(List<String> options) throws Exception {
    Path out = folder.resolve(Integer.toHexString(options.hashCode()));
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "quantize",
                model.toString(),
                "--out",
                out.toString(),
                "--steps",
                "3",
                "--lanes",
                "2",
                "--max-memory",
                "2g",
                "--json"));
    arguments.addAll(options);

    CommandRun run = CommandRun.of(arguments.toArray(String[]::new));

    assertThat(run.exitCode()).as(run.toString()).isZero();
    JsonNode report = JsonMapper.builder().build().readTree(run.out());
    assertThat(report.at("/totals/relative_error").asDouble()).isBetween(0.0, 1.0);
    CommandRun verdict = CommandRun.of("verify", out.toString(), "--against", model.toString());
    assertThat(verdict.exitCode()).as(verdict.toString()).isZero();
  }
}
