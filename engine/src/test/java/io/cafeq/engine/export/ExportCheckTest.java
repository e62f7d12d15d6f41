package io.cafeq.engine.export;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.LayoutKind;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.grid.GridSpec;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class ExportCheckTest {
  private static final Answer.Refuses UNKNOWN = new Answer.Refuses("it is a bird", "Take a fish.");
  private static final Answer.Refuses MIXED = new Answer.Refuses("schemes differ", "Agree on one.");
  private static final GridSpec GRID = new GridSpec(4, 32, ScaleStorage.SYMMETRIC, 8, true);

  @Test
  void refusalsAreShownTogetherWithTheirTensors() {
    ExportCheck first =
        new ExportCheck(
            List.of(UNKNOWN),
            List.of(
                new ExportCheck.Verdict("q", MIXED),
                new ExportCheck.Verdict("k", MIXED),
                new ExportCheck.Verdict("norm", new Answer.Carries())));
    ExportCheck second =
        new ExportCheck(
            List.of(),
            List.of(new ExportCheck.Verdict("v\nx", MIXED), new ExportCheck.Verdict("u", MIXED)));

    assertThatThrownBy(() -> first.and(second).require("tiny"))
        .isInstanceOfSatisfying(
            EngineException.class,
            e -> {
              assertThat(e.kind()).isEqualTo(FailureKind.USAGE);
              assertThat(e.remedy()).isEqualTo("Take a fish. Agree on one.");
            })
        .hasMessage(
            "format tiny cannot hold this result: it is a bird;"
                + " schemes differ (\"q\", \"k\" and 2 more tensors)");
    assertThatThrownBy(() -> second.require("tiny")).hasMessageContaining("\"v\\u000ax\", \"u\"");
    new ExportCheck(List.of(), first.verdicts().subList(2, 3)).require("tiny");
  }

  @Test
  void limitsLookAtEverythingThatAHeaderSays() {
    Set<Side> output = Set.of(Side.OUTPUT);
    TensorHeader plain = header(List.of(8L, 64L), GRID, null);
    TensorHeader online =
        header(List.of(8L, 64L), GRID, new TensorHeader.TransformUse("t", Side.INPUT));
    TensorHeader experts = header(List.of(3L, 8L, 64L), GRID, null);

    for (Limit limit :
        List.of(
            Limit.bits(4),
            Limit.groups(32),
            Limit.storages(Set.of(ScaleStorage.SYMMETRIC)),
            Limit.transforms(Set.of()),
            Limit.unscaled(),
            Limit.unfolded(),
            Limit.uniform(),
            Limit.matrices(),
            Limit.layouts(Set.of(LayoutKind.PLAIN)),
            Limit.ordinaryRows())) {
      assertThat(limit.against(new TensorForm(plain, false))).isEmpty();
    }
    refused(Limit.bits(8, 2), plain, "codes have 4 bits, expected 2, 8", "--bits 8");
    refused(Limit.groups(0), plain, "groups have 32 input channels, expected all", "channel");
    refused(
        Limit.transforms(output), online, "of the input side, expected output", "--side output");
    refused(
        Limit.unscaled(),
        new TensorHeader(
            "w", Dtype.BF16, List.of(4L, 64L), new TensorHeader.Coding(GRID, null, "w", false)),
        "scales of their own",
        "--no-column-scales");
    refused(Limit.matrices(), experts, "several experts", "--exclude");
    refused(
        Limit.layouts(Set.of(LayoutKind.TILED)), plain, "as plain, expected tiled", "--exclude");
    assertThat(Limit.ordinaryRows().against(new TensorForm(plain, true))).isPresent();
    assertThat(Limit.matrices().against(new TensorForm(kept(), false))).isEmpty();
  }

  private static void refused(Limit limit, TensorHeader header, String reason, String remedy) {
    assertThat(limit.against(new TensorForm(header, false)))
        .hasValueSatisfying(
            refusal -> {
              assertThat(refusal.reason()).contains(reason);
              assertThat(refusal.remedy()).contains(remedy);
            });
  }

  private static TensorHeader kept() {
    return new TensorHeader(
        "convolution", Dtype.BF16, List.of(8L, 3L, 4L), new TensorHeader.Content.Kept());
  }

  private static TensorHeader header(
      List<Long> shape, GridSpec grid, TensorHeader.@Nullable TransformUse use) {
    return new TensorHeader("w", Dtype.BF16, shape, new TensorHeader.Coding(grid, use));
  }
}
