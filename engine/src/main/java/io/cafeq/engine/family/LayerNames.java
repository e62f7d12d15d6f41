package io.cafeq.engine.family;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Names and roles of the matrices in the layers of a family. */
final class LayerNames {
  private static final Pattern EXPERT = Pattern.compile("\\.\\d+\\.");

  /**
   * One matrix of a layer.
   *
   * @param name what follows the layer's number, with {@code #} for the number of an expert
   * @param input what matrices that read the same input have in common, following the layer's
   *     number
   * @param experts what all experts of the layer have in common, following the layer's number
   * @param transposed whether it is stored as [in, out], or as a stack of such matrices
   */
  record Matrix(
      String name,
      Role role,
      Optional<String> input,
      Optional<String> experts,
      boolean transposed) {
    static Matrix of(String name, Role role) {
      return new Matrix(name, role, Optional.empty(), Optional.empty(), false);
    }

    Matrix reading(String sharedInput) {
      return new Matrix(name, role, Optional.of(sharedInput), experts, transposed);
    }

    Matrix ofExperts(String module) {
      return new Matrix(name, role, input, Optional.of(module), transposed);
    }

    Matrix storedTransposed() {
      return new Matrix(name, role, input, experts, true);
    }
  }

  /**
   * A tensor of a layer.
   *
   * @param start the name up to the layer's number
   * @param name the name after it
   */
  record InLayer(String start, int layer, String name) {
    /** Where the layer's own names begin. */
    String prefix() {
      return start + layer + ".";
    }
  }

  private final String start;
  private final Pattern startPattern;
  private final Pattern pattern;
  private final Map<String, Matrix> matrices;

  /**
   * @param start regular expression of the name before the layer's number
   */
  LayerNames(String start, List<Matrix> matrices) {
    this(
        start,
        matrices.stream().collect(Collectors.toUnmodifiableMap(Matrix::name, Function.identity())));
  }

  private LayerNames(String start, Map<String, Matrix> matrices) {
    this.start = start;
    this.startPattern = Pattern.compile(start);
    this.pattern = Pattern.compile("(?<start>" + start + ")(?<layer>\\d{1,6})\\.(?<name>.+)");
    this.matrices = matrices;
  }

  /** The same names with an optional prefix. */
  LayerNames wrapped(Wrapping wrapping) {
    return wrapping.prefix().isEmpty()
        ? this
        : new LayerNames(
            "(?:" + Pattern.quote(wrapping.prefix()) + ")?" + "(?:" + start + ")", matrices);
  }

  /** Whether a layer's number may follow that text. */
  boolean isStart(String text) {
    return startPattern.matcher(text).matches();
  }

  /** Empty for what is in no layer of the text model. */
  Optional<InLayer> locate(String tensorName) {
    Matcher found = pattern.matcher(tensorName);
    return found.matches()
        ? Optional.of(
            new InLayer(
                found.group("start"), Integer.parseInt(found.group("layer")), found.group("name")))
        : Optional.empty();
  }

  /**
   * @param name what follows the layer's number
   */
  Optional<Matrix> matrix(String name) {
    return Optional.ofNullable(matrices.get(EXPERT.matcher(name).replaceFirst(".#.")));
  }
}
