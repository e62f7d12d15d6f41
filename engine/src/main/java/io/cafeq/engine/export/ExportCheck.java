package io.cafeq.engine.export;

import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.text.VisibleText;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * What a format says of a result before any work.
 *
 * @param whole what stands against the result as a whole, such as a kind of model that the format
 *     does not know
 * @param verdicts at least one for each tensor, in the result's order; several where several things
 *     stand against one
 */
public record ExportCheck(List<Answer.Refuses> whole, List<Verdict> verdicts) {
  private static final int NAMED = 2;

  /** The answer for one tensor. */
  public record Verdict(String tensor, Answer answer) {}

  public ExportCheck {
    whole = List.copyOf(whole);
    verdicts = List.copyOf(verdicts);
  }

  /** Holds every tensor against all limits. */
  public static ExportCheck of(ResultReader result, List<Limit> limits) {
    List<Verdict> verdicts = new ArrayList<>();
    for (Manifest.TensorEntry tensor : result.tensors()) {
      TensorForm form =
          new TensorForm(result.header(tensor.name()), result.hasExponents(tensor.name()));
      List<Verdict> refusals =
          limits.stream()
              .flatMap(limit -> limit.against(form).stream())
              .map(refusal -> new Verdict(tensor.name(), refusal))
              .toList();
      verdicts.addAll(
          refusals.isEmpty()
              ? List.of(new Verdict(tensor.name(), new Answer.Carries()))
              : refusals);
    }
    return new ExportCheck(List.of(), verdicts);
  }

  /** The check of a format that holds whatever a result can have. */
  public static ExportCheck carriesAll(ResultReader result) {
    return new ExportCheck(
        List.of(),
        result.tensors().stream()
            .map(tensor -> new Verdict(tensor.name(), new Answer.Carries()))
            .toList());
  }

  /** Both checks together: for what is seen only by looking at several tensors. */
  public ExportCheck and(ExportCheck other) {
    List<Answer.Refuses> allWhole = new ArrayList<>(whole);
    allWhole.addAll(other.whole);
    List<Verdict> all = new ArrayList<>(verdicts);
    all.addAll(other.verdicts);
    return new ExportCheck(allWhole, all);
  }

  /** The tensors that each refusal holds for; none where it holds for the whole result. */
  public Map<Answer.Refuses, List<String>> refusals() {
    Map<Answer.Refuses, List<String>> refusals = new LinkedHashMap<>();
    whole.forEach(refuses -> refusals.put(refuses, new ArrayList<>()));
    for (Verdict verdict : verdicts) {
      switch (verdict.answer()) {
        case Answer.Carries carries -> {}
        case Answer.Refuses refuses ->
            refusals.computeIfAbsent(refuses, first -> new ArrayList<>()).add(verdict.tensor());
      }
    }
    return refusals;
  }

  /**
   * Throws with kind USAGE, naming everything that stands against the export, where there is any.
   */
  void require(String format) {
    Map<Answer.Refuses, List<String>> refusals = refusals();
    if (refusals.isEmpty()) {
      return;
    }
    throw new EngineException(
        FailureKind.USAGE,
        refusals.entrySet().stream()
            .map(refusal -> refusal.getKey().reason() + named(refusal.getValue()))
            .collect(
                Collectors.joining("; ", "format " + format + " cannot hold this result: ", "")),
        refusals.keySet().stream()
            .map(Answer.Refuses::remedy)
            .distinct()
            .collect(Collectors.joining(" ")));
  }

  private static String named(List<String> tensors) {
    if (tensors.isEmpty()) {
      return "";
    }
    String first =
        tensors.stream().limit(NAMED).map(VisibleText::quoted).collect(Collectors.joining(", "));
    int more = tensors.size() - NAMED;
    return " (" + first + (more > 0 ? " and " + more + " more tensors)" : ")");
  }
}
