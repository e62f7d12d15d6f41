package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.model.Miniature;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import io.cafeq.engine.tokens.Tokenizers;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.constantpool.ClassEntry;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.stream.Stream;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/**
 * The distribution as users get it. The build leaves out of its jars what no command needs, so they
 * are smaller than those that the other tests run with. Runs once the distribution is built.
 */
@EnabledIfSystemProperty(named = "cafeq.distribution", matches = ".+")
class DistributionTest {
  private static final Path DISTRIBUTION =
      Path.of(Objects.requireNonNullElse(System.getProperty("cafeq.distribution"), ""));
  private static final long LARGEST_LIB_BYTES = 150_000_000;
  private static final JsonMapper ONE_DOCUMENT =
      JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();

  @TempDir Path folder;

  @Test
  void itsLibrariesStayWithinTheStatedSize() throws Exception {
    long bytes = 0;
    for (Path jar : jars()) {
      bytes += Files.size(jar);
    }
    assertThat(bytes).isBetween(LARGEST_LIB_BYTES / 2, LARGEST_LIB_BYTES);
  }

  @Test
  void everyClassThatOursNameIsThere() throws Exception {
    SortedSet<String> named = new TreeSet<>();
    List<URL> urls = new ArrayList<>();
    for (Path jar : jars()) {
      urls.add(jar.toUri().toURL());
      if (jar.getFileName().toString().startsWith("cafeq-")) {
        named.addAll(classesNamedIn(jar));
      }
    }
    assertThat(named).contains("org.nd4j.linalg.factory.Nd4j", "io.cafeq.tools.Main");
    try (URLClassLoader loader =
        new URLClassLoader(urls.toArray(URL[]::new), ClassLoader.getPlatformClassLoader())) {
      for (String name : named) {
        assertThatCode(() -> Class.forName(name, false, loader))
            .as(name)
            .doesNotThrowAnyException();
      }
    }
  }

  @Test
  void everyCommandPrintsOneJsonDocument() throws Exception {
    Path model = folder.resolve("model");
    SampleCheckpoint.write(shape(), 1, model, new StopFlag());
    Path out = folder.resolve("out");

    JsonNode plan = json(ExitCode.OK, "plan", model.toString(), "--out", out.toString());
    assertThat(plan.at("/totals/weights").asLong()).isPositive();
    assertThat(plan.get("seconds").asDouble()).isPositive();
    assertThat(out).doesNotExist();

    JsonNode report =
        json(ExitCode.OK, "quantize", model.toString(), "--out", out.toString(), "--steps", "20");
    assertThat(report).isEqualTo(ONE_DOCUMENT.readTree(out.resolve("report.json").toFile()));
    assertThat(report.get("status").asText()).isEqualTo("complete");
    for (String name :
        new String[] {
          "weights",
          "bits_per_weight",
          "model_bits_per_weight",
          "model_bytes",
          "relative_error",
          "plain",
          "plain_clipped",
          "plain_equal_bits",
          "seconds",
          "bytes_read",
          "bytes_written",
          "peak_memory_bytes"
        }) {
      assertThat(report.get("totals").hasNonNull(name)).as(name).isTrue();
    }
    assertThat(report.at("/totals/weights")).isEqualTo(plan.at("/totals/weights"));
    assertThat(report.at("/statistics/source").asText()).isEqualTo("random");
    assertThat(report.at("/totals/relative_output_error").asDouble())
        .isPositive()
        .isLessThanOrEqualTo(
            report.at("/totals/plain_equal_bits/relative_output_error").asDouble());

    JsonNode again =
        json(ExitCode.OK, "quantize", model.toString(), "--out", out.toString(), "--steps", "20");
    assertThat(again).isEqualTo(report);

    JsonNode checkpoint = json(ExitCode.OK, "inspect", model.toString());
    assertThat(checkpoint.get("kind").asText()).isEqualTo("checkpoint");
    JsonNode result = json(ExitCode.OK, "inspect", out.toString());
    assertThat(result.get("kind").asText()).isEqualTo("result");
    assertThat(result.get("quantized_weights")).isEqualTo(report.at("/totals/weights"));
    int pairs = report.at("/totals/pairs/count").asInt();
    assertThat(pairs).isPositive();
    assertThat(result.get("pairs")).hasSize(pairs);
    assertThat(result.at("/pairs/0/kind").asText()).isEqualTo("value-output");
    for (JsonNode tensor : result.get("tensors")) {
      boolean coupled = tensor.get("name").asText().matches(".*[vo]_proj\\.weight");
      assertThat(tensor.get("coupled").asBoolean()).as(tensor.toString()).isEqualTo(coupled);
      assertThat(tensor.get("stored").asText().endsWith("factor of a pair")).isEqualTo(coupled);
    }

    JsonNode verdict = json(ExitCode.OK, "verify", out.toString(), "--against", model.toString());
    assertThat(verdict.get("sound").asBoolean()).isTrue();
    assertThat(verdict.get("relative_error").asDouble())
        .isCloseTo(report.at("/totals/relative_error").asDouble(), Percentage.withPercentage(0.1));

    Path dense = folder.resolve("dense");
    JsonNode export =
        json(ExitCode.OK, "export", out.toString(), "--format", "dense", "--out", dense.toString());
    assertThat(export.get("tensors").asInt()).isEqualTo(checkpoint.get("tensors").size());
    assertThat(json(ExitCode.OK, "inspect", dense.toString()).get("tensors"))
        .isEqualTo(checkpoint.get("tensors"));

    JsonNode doctor = json(ExitCode.OK, "doctor");
    assertThat(doctor.get("usable").asBoolean()).isTrue();
    assertThat(doctor.at("/tokenizers/detail").asText()).contains("tokenizers");
    assertThat(json(ExitCode.OK, "config").get("settings")).isNotEmpty();
    JsonNode demo =
        json(ExitCode.OK, "demo", "--out", folder.resolve("demo").toString(), "--method", "rtn");
    assertThat(demo.get("status").asText()).isEqualTo("complete");
  }

  @Test
  void aModelIsEvaluatedBesideItsResult() throws Exception {
    Path model = folder.resolve("model");
    Miniature.of("llama", 1).write(model, Miniature.Spread.ONE);
    Tokenizers.write(model);
    Path text = Files.writeString(folder.resolve("text.txt"), "abc cab b a".repeat(4000));
    Path out = folder.resolve("out");
    json(
        ExitCode.OK,
        "quantize",
        model.toString(),
        "--out",
        out.toString(),
        "--target-bpw",
        "6",
        "--steps",
        "2",
        "--pair-steps",
        "2");

    JsonNode found =
        json(
            ExitCode.OK,
            "evaluate",
            out.toString(),
            "--text",
            text.toString(),
            "--windows",
            "3",
            "--window",
            "16",
            "--against",
            model.toString());

    assertThat(found.get("perplexity").asDouble()).isGreaterThan(1);
    assertThat(found.get("against").get("model").asText()).isEqualTo(model.toString());
  }

  @Test
  void measuringCommandsRun() throws Exception {
    assertThat(json(ExitCode.OK, "reproduce", "toy")).hasSize(2);
    JsonNode figures =
        json(
            ExitCode.OK,
            "bench",
            "--part",
            "stream",
            "--runs",
            "1",
            "--megabytes",
            "16",
            "--folder",
            folder.toString());
    assertThat(figures).isNotEmpty();
  }

  private static List<Path> jars() throws IOException {
    try (Stream<Path> files = Files.list(DISTRIBUTION.resolve("lib"))) {
      return files.sorted().toList();
    }
  }

  private static SortedSet<String> classesNamedIn(Path jar) throws IOException {
    SortedSet<String> names = new TreeSet<>();
    try (JarFile file = new JarFile(jar.toFile())) {
      file.stream()
          .filter(entry -> entry.getName().endsWith(".class"))
          .forEach(entry -> names.addAll(classesNamedIn(file, entry)));
    }
    return names;
  }

  private static List<String> classesNamedIn(JarFile file, JarEntry entry) {
    List<String> names = new ArrayList<>();
    try (var bytes = file.getInputStream(entry)) {
      ClassFile.of()
          .parse(bytes.readAllBytes())
          .constantPool()
          .forEach(
              constant -> {
                if (constant instanceof ClassEntry named && !named.asSymbol().isArray()) {
                  names.add(named.asInternalName().replace('/', '.'));
                }
              });
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return names;
  }

  private static SampleShape shape() {
    return new SampleShape(
        2,
        128,
        384,
        4,
        2,
        256,
        Dtype.BF16,
        true,
        SampleShape.Distribution.STUDENT,
        1.0 / 64,
        1L << 30);
  }

  private static JsonNode json(int exitCode, String... arguments) throws Exception {
    String[] all = Arrays.copyOf(arguments, arguments.length + 1);
    all[arguments.length] = "--json";
    RunningProgram.Result result = RunningProgram.distribution(DISTRIBUTION, all);
    assertThat(result.exitCode())
        .as(String.join(" ", all) + "\n" + result.err())
        .isEqualTo(exitCode);
    return ONE_DOCUMENT.readTree(result.out());
  }
}
