package io.cafeq.config;

import java.nio.file.Path;
import java.util.Optional;

/**
 * Where the input Hessians come from: calibration tokens of some source, the weights, or nowhere.
 */
public sealed interface StatisticsSource {
  /** Calibration-free: every input channel counts alike. */
  record None() implements StatisticsSource {}

  /**
   * Calibration-free: the diagonals of the Hessians are estimated from the weights, and no token is
   * run.
   */
  record Weights() implements StatisticsSource {}

  /**
   * The built-in text, random tokens where there is no tokenizer, an estimate from the weights
   * where the model cannot be run.
   */
  record Auto() implements StatisticsSource {}

  /** Random tokens. */
  record Random() implements StatisticsSource {}

  /** The built-in text. */
  record BuiltInText() implements StatisticsSource {}

  /** Self-generated calibration: text that the model generates. */
  record Self() implements StatisticsSource {}

  /**
   * @param path of a UTF-8 text, as given
   */
  record TextFile(String path) implements StatisticsSource {
    /** Of the file without its folders. */
    public String name() {
      Path name = Path.of(path).getFileName();
      return name == null ? path : name.toString();
    }
  }

  /** The text in results: only the name of a file, since a result must not depend on folders. */
  default String text() {
    return switch (this) {
      case TextFile file -> "file:" + file.name();
      case None none -> given();
      case Weights weights -> given();
      case Auto auto -> given();
      case Random random -> given();
      case BuiltInText builtIn -> given();
      case Self self -> given();
    };
  }

  /** The text in options. */
  default String given() {
    return switch (this) {
      case None none -> "none";
      case Weights weights -> "weights";
      case Auto auto -> "auto";
      case Random random -> "random";
      case BuiltInText builtIn -> "text";
      case Self self -> "self";
      case TextFile(String path) -> "file:" + path;
    };
  }

  /**
   * Back from {@link #given()}, and as far as that goes from {@link #text()}; empty for any other
   * text.
   */
  static Optional<StatisticsSource> parse(String text) {
    return switch (text) {
      case "none" -> Optional.of(new None());
      case "weights" -> Optional.of(new Weights());
      case "auto" -> Optional.of(new Auto());
      case "random" -> Optional.of(new Random());
      case "text" -> Optional.of(new BuiltInText());
      case "self" -> Optional.of(new Self());
      default ->
          text.startsWith("file:") && text.length() > "file:".length()
              ? Optional.of(new TextFile(text.substring("file:".length())))
              : Optional.empty();
    };
  }
}
