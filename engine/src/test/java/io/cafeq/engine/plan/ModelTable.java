package io.cafeq.engine.plan;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.TensorInfo;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A model as a table of names and shapes, from {@code structures/NAME.txt} among the test
 * resources: config.json, an empty line, then a line for each tensor: {@code Q} where it is to be
 * quantized and {@code -} where it keeps its bytes, the name, the shape, perhaps the role, perhaps
 * {@code transposed}. {@code {0-3}} in a name stands for each of these numbers.
 */
record ModelTable(JsonNode config, List<Line> lines) {
  private static final Pattern RANGE = Pattern.compile("\\{(\\d+)-(\\d+)}");

  record Line(
      boolean quantized,
      String name,
      List<Long> shape,
      Optional<String> role,
      boolean transposed) {}

  static ModelTable of(String name) {
    try (InputStream file =
        Objects.requireNonNull(
            ModelTable.class.getResourceAsStream("/structures/" + name + ".txt"))) {
      String[] parts = new String(file.readAllBytes(), StandardCharsets.UTF_8).split("\n\n", 2);
      List<Line> lines = new ArrayList<>();
      parts[1].lines().filter(line -> !line.isBlank()).forEach(line -> expand(line, lines));
      return new ModelTable(JsonMapper.builder().build().readTree(parts[0]), lines);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void expand(String line, List<Line> to) {
    Matcher range = RANGE.matcher(line);
    if (range.find()) {
      for (int i = Integer.parseInt(range.group(1)); i <= Integer.parseInt(range.group(2)); i++) {
        expand(line.substring(0, range.start()) + i + line.substring(range.end()), to);
      }
      return;
    }
    List<String> words = List.of(line.split(" "));
    to.add(
        new Line(
            words.getFirst().equals("Q"),
            words.get(1),
            Arrays.stream(words.get(2).split("x")).map(Long::valueOf).toList(),
            words.stream().skip(3).filter(word -> !word.equals("transposed")).findFirst(),
            words.contains("transposed")));
  }

  List<TensorInfo> tensors() {
    List<TensorInfo> tensors = new ArrayList<>();
    long position = 0;
    for (Line line : lines) {
      long bytes = line.shape().stream().reduce(1L, (a, b) -> a * b) * Dtype.BF16.bytes();
      tensors.add(
          new TensorInfo(
              line.name(), Dtype.BF16, line.shape(), "model.safetensors", position, bytes));
      position += bytes;
    }
    return tensors;
  }
}
