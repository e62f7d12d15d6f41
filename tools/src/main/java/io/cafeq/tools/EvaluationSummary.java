package io.cafeq.tools;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.cafeq.engine.evaluate.ChoiceScore;
import io.cafeq.engine.evaluate.Comparison;
import io.cafeq.engine.evaluate.EvaluationResult;
import io.cafeq.engine.evaluate.OutputError;
import io.cafeq.engine.evaluate.TextScore;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The JSON document of {@code cafeq evaluate}; what was not asked for is left out.
 *
 * @param beginningToken what each window and each context begins with; left out where the model has
 *     none
 * @param tokens of all windows of the text; the first of each is not predicted
 * @param warnings what was also told while it ran
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
record EvaluationSummary(
    String model,
    @Nullable Integer beginningToken,
    @Nullable Long tokens,
    @Nullable Integer windows,
    @Nullable Integer window,
    @Nullable Double perplexity,
    @Nullable Double perplexityStandardError,
    @Nullable Choices choices,
    @Nullable Against against,
    @Nullable List<String> warnings,
    double seconds) {

  /** Multiple-choice questions. */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  record Choices(
      int questions,
      double accuracy,
      @Nullable Double accuracyStandardError,
      double normalisedAccuracy,
      @Nullable Double normalisedAccuracyStandardError) {
    static Choices of(ChoiceScore score) {
      return new Choices(
          score.questions(),
          score.accuracy(),
          score.standardError().orElse(null),
          score.normalisedAccuracy(),
          score.normalisedStandardError().orElse(null));
    }
  }

  /** The reference by itself, and what is between it and the model. */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  record Against(
      String model,
      @Nullable Double perplexity,
      @Nullable Double perplexityStandardError,
      @Nullable Double klDivergence,
      @Nullable Double topAgreement,
      @Nullable List<OutputError> outputErrors,
      @Nullable Choices choices) {
    static Against of(String model, EvaluationResult.Reference reference) {
      Comparison comparison = reference.comparison().orElse(null);
      Choices ofChoices = reference.choices().map(Choices::of).orElse(null);
      if (comparison == null) {
        return new Against(model, null, null, null, null, null, ofChoices);
      }
      TextScore score = comparison.reference();
      return new Against(
          model,
          score.perplexity(),
          score.standardError().orElse(null),
          comparison.divergence(),
          comparison.topAgreement(),
          comparison.outputErrors(),
          ofChoices);
    }
  }

  static EvaluationSummary of(
      String model, String reference, EvaluationResult result, double seconds) {
    Choices ofChoices = result.choices().map(Choices::of).orElse(null);
    Integer token = result.beginning().id().isPresent() ? result.beginning().id().getAsInt() : null;
    List<String> told = result.warnings().isEmpty() ? null : List.copyOf(result.warnings());
    TextScore text = result.text().orElse(null);
    Against against = result.reference().map(known -> Against.of(reference, known)).orElse(null);
    return text == null
        ? new EvaluationSummary(
            model, token, null, null, null, null, null, ofChoices, against, told, seconds)
        : new EvaluationSummary(
            model,
            token,
            text.tokens(),
            text.windows(),
            text.window(),
            text.perplexity(),
            text.standardError().orElse(null),
            ofChoices,
            against,
            told,
            seconds);
  }
}
