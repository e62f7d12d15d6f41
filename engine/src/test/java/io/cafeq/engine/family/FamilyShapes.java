package io.cafeq.engine.family;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.TensorInfo;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The smallest checkpoint of a family: its config.json and the names, types and shapes of its
 * tensors, from {@code families/NAME/config.json} and {@code families/NAME/tensors.txt} among the
 * test resources.
 *
 * <p>A line of tensors.txt is NAME TYPE DIMENSIONS; {@code {0-3}} in a name stands for each of
 * these numbers. Where a family does not demand otherwise: hidden 64, 4 heads of 16, 2 key-value
 * heads, intermediate 96, 2 layers, 4 experts, vocabulary 50.
 *
 * @param config config.json as it stands there
 * @param tensors in the order of the file
 */
public record FamilyShapes(String name, String config, List<Shape> tensors) {
  /**
   * All there are. A name is a family's model_type; one that ends with {@code _dense} has no packed
   * floats.
   */
  public static final List<String> NAMES =
      List.of(
          "llama",
          "mistral",
          "qwen2",
          "qwen3",
          "gemma",
          "gemma2",
          "gemma3_text",
          "gemma3",
          "phi3",
          "gpt2",
          "gpt_neox",
          "bert",
          "roberta",
          "distilbert",
          "mixtral",
          "qwen2_moe",
          "qwen3_moe",
          "deepseek_v2",
          "deepseek_v3",
          "deepseek_v3_dense",
          "llama4",
          "gpt_oss",
          "gpt_oss_dense",
          "qwen3_next",
          "bitnet",
          "gemma3n");

  private static final Pattern RANGE = Pattern.compile("\\{(\\d+)-(\\d+)}");

  /** One tensor. */
  public record Shape(String name, Dtype dtype, List<Long> dimensions) {
    public Shape {
      dimensions = List.copyOf(dimensions);
    }

    /** Bytes of all elements. */
    public long bytes() {
      return dimensions.stream().reduce(1L, (a, b) -> a * b) * dtype.bytes();
    }
  }

  public FamilyShapes {
    tensors = List.copyOf(tensors);
  }

  /** The shape of each tensor by its name. */
  public Map<String, List<Long>> shapes() {
    Map<String, List<Long>> shapes = new LinkedHashMap<>();
    tensors.forEach(tensor -> shapes.put(tensor.name(), tensor.dimensions()));
    return shapes;
  }

  /** The family of that name, one of {@link #NAMES}. */
  public static FamilyShapes of(String name) {
    List<Shape> tensors = new ArrayList<>();
    resource(name, "tensors.txt")
        .lines()
        .forEach(
            line -> {
              String[] parts = line.split(" ");
              List<Long> dimensions = Arrays.stream(parts).skip(2).map(Long::valueOf).toList();
              expand(parts[0])
                  .forEach(
                      tensor ->
                          tensors.add(
                              new Shape(tensor, Dtype.named(parts[1]).orElseThrow(), dimensions)));
            });
    return new FamilyShapes(name, resource(name, "config.json"), tensors);
  }

  /** config.json to be changed at will. */
  public ObjectNode configObject() {
    try {
      return (ObjectNode) new ObjectMapper().readTree(config);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(name, e);
    }
  }

  /** Headers of all tensors in one file, one after the other, by name. */
  public Map<String, TensorInfo> headers() {
    Map<String, TensorInfo> headers = new LinkedHashMap<>();
    long position = 0;
    for (Shape shape : tensors) {
      headers.put(
          shape.name(),
          new TensorInfo(
              shape.name(),
              shape.dtype(),
              shape.dimensions(),
              "model.safetensors",
              position,
              shape.bytes()));
      position += shape.bytes();
    }
    return headers;
  }

  private static List<String> expand(String pattern) {
    Matcher range = RANGE.matcher(pattern);
    if (!range.find()) {
      return List.of(pattern);
    }
    MatchResult found = range.toMatchResult();
    List<String> names = new ArrayList<>();
    for (int i = Integer.parseInt(found.group(1)); i <= Integer.parseInt(found.group(2)); i++) {
      names.addAll(
          expand(pattern.substring(0, found.start()) + i + pattern.substring(found.end())));
    }
    return names;
  }

  private static String resource(String name, String file) {
    String path = "/families/" + name + "/" + file;
    try (InputStream stream = FamilyShapes.class.getResourceAsStream(path)) {
      return new String(
          Objects.requireNonNull(stream, path).readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(path, e);
    }
  }
}
