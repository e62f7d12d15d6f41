package io.cafeq.engine.evaluate;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.FullHeap;
import io.cafeq.engine.tokens.BeginningToken;
import io.cafeq.engine.tokens.TextTokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Runs a model, and a reference beside it, on a text and on questions. Used once, on one thread.
 */
public final class Evaluation {
  private final EvaluationRequest request;
  private final Resources resources;
  private final Consumer<String> listener;
  private final List<String> warnings = new ArrayList<>();

  /**
   * @param resources borrowed
   * @param listener hears each warning as soon as it is known
   */
  public Evaluation(EvaluationRequest request, Resources resources, Consumer<String> listener) {
    this.request = request;
    this.resources = resources;
    this.listener = listener;
  }

  /** Throws an {@link EngineException} where a model, the text or the questions cannot be used. */
  public EvaluationResult run() {
    try (EvaluatedModel model = open(request.model());
        @Nullable EvaluatedModel reference = reference()) {
      return run(model, Optional.ofNullable(reference));
    } catch (OutOfMemoryError full) {
      // tokens are on the heap, and the memory cap is about what is outside it
      throw new EngineException(
          FailureKind.ENVIRONMENT,
          "the program ran out of memory: " + full.getMessage(),
          "Split the file of --choices and evaluate its parts, take fewer --windows, or run with a"
              + " larger Java heap, such as "
              + FullHeap.larger()
              + ".",
          full);
    }
  }

  private EvaluatedModel open(String location) {
    return EvaluatedModel.open(location, request.remote());
  }

  private @Nullable EvaluatedModel reference() {
    return request.reference().map(this::open).orElse(null);
  }

  private EvaluationResult run(EvaluatedModel model, Optional<EvaluatedModel> reference) {
    model.warnings().forEach(this::warn);
    reference.ifPresent(
        other -> {
          model.requireAlike(other);
          other.warnings().forEach(warning -> warn(other.location() + ": " + warning));
        });
    Inputs inputs = inputs(model);
    inputs.choices().ifPresent(questions -> questions.require(model));
    return reference
        .map(other -> compare(model, other, inputs))
        .orElseGet(
            () ->
                new EvaluationResult(
                    inputs.beginning(),
                    inputs.text().map(text -> text.score(model)),
                    inputs.choices().map(questions -> questions.score(model)),
                    Optional.empty(),
                    warnings));
  }

  /** Text and questions as tokens of the model. */
  private record Inputs(
      BeginningToken beginning,
      Optional<TextEvaluation> text,
      Optional<ChoiceEvaluation> choices) {}

  private Inputs inputs(EvaluatedModel model) {
    try (TextTokenizer tokenizer = TextTokenizer.open(model.store())) {
      BeginningToken beginning = model.beginningToken();
      Optional<ChoiceEvaluation> choices =
          request
              .choices()
              .map(
                  file -> {
                    ChoiceQuestions questions =
                        new ChoiceQuestions(tokenizer, model.longestInput(), beginning);
                    QuestionFile.forEach(file, questions::add);
                    return new ChoiceEvaluation(resources, questions);
                  });
      Optional<TextEvaluation> text =
          request
              .text()
              .map(file -> new TextEvaluation(resources, cut(file, tokenizer, beginning)));
      text.ifPresent(evaluation -> warnOfLength(model));
      return new Inputs(beginning, text, choices);
    }
  }

  private EvaluationResult compare(EvaluatedModel model, EvaluatedModel reference, Inputs inputs) {
    inputs.choices().ifPresent(questions -> questions.require(reference));
    Optional<Comparison> comparison = inputs.text().map(text -> text.compare(model, reference));
    Optional<ChoiceScore> chosen = inputs.choices().map(questions -> questions.score(model));
    Optional<ChoiceScore> ofReference =
        inputs.choices().map(questions -> questions.score(reference));
    return new EvaluationResult(
        inputs.beginning(),
        comparison.map(Comparison::model),
        chosen,
        Optional.of(new EvaluationResult.Reference(comparison, ofReference)),
        warnings);
  }

  /** The last token of a window is only predicted. */
  private void warnOfLength(EvaluatedModel model) {
    model
        .longestInput()
        .ifPresent(
            longest -> {
              if (request.window() - 1 > longest) {
                warn(
                    "windows of "
                        + request.window()
                        + " tokens go beyond the "
                        + longest
                        + " positions that the model was trained for (max_position_embeddings);"
                        + " what it predicts there counts too");
              }
            });
  }

  private void warn(String warning) {
    warnings.add(warning);
    listener.accept(warning);
  }

  private List<int[]> cut(Path file, TextTokenizer tokenizer, BeginningToken beginning) {
    int ofText = request.window() - beginning.count();
    int wanted = (int) Math.min(Integer.MAX_VALUE, (long) request.windows() * ofText);
    int[] tokens = tokenizer.beginning(file, wanted);
    List<int[]> cut =
        TextEvaluation.windows(tokens, ofText, request.windows()).stream()
            .map(beginning::before)
            .toList();
    if (cut.isEmpty()) {
      throw new EngineException(
          FailureKind.USAGE,
          file + ": has " + tokens.length + " tokens, a window takes " + ofText,
          "Give a longer text, or a smaller --window.");
    }
    if (cut.size() < request.windows()) {
      warn(
          file
              + " has only "
              + cut.size()
              + " whole windows of "
              + request.window()
              + " tokens; they are evaluated");
    }
    return cut;
  }
}
