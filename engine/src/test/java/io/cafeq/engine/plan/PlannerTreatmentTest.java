package io.cafeq.engine.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.config.Loss;
import io.cafeq.config.Rounding;
import io.cafeq.engine.plan.Headers.Geometry;
import io.cafeq.engine.transform.TransformSpec;
import java.util.List;
import java.util.Map;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PlannerTreatmentTest {
  private static final String QKV = "model.layers.0.self_attn.qkv";
  private static final String O = "model.layers.0.self_attn.o_proj";
  private static final String GATE_UP = "model.layers.0.mlp.gate_up";
  private static final String DOWN = "model.layers.0.mlp.down_proj";

  private final Headers smol = Headers.of("llama").layer("model.", 0, Geometry.SMOLLM2);

  @Test
  void sidesAndBlocksOfSmolLm2() {
    assertThat(Headers.quantized(smol.plan("group", "64")))
        .isEqualTo(
            Map.of(
                QKV, "input k=16, group 64, symmetric, 4 bits",
                O, "input k=16, group 64, symmetric, 4 bits",
                GATE_UP, "input k=64, group 64, symmetric, 4 bits",
                DOWN, "output k=32, group 64, zero-point, 4 bits"));
  }

  @Test
  void largerModelsAffordLargerBlocks() {
    Headers large = Headers.of("llama").layer("model.", 0, Geometry.LLAMA_8B);
    assertThat(Headers.quantized(large.plan()))
        .isEqualTo(
            Map.of(
                QKV, "input k=128, group 128, symmetric, 4 bits",
                O, "input k=64, group 128, symmetric, 4 bits",
                GATE_UP, "input k=256, group 128, symmetric, 4 bits",
                DOWN, "output k=256, group 128, zero-point, 4 bits"));
  }

  @Test
  void theOutputSideTakesSharedInputsApart() {
    Headers wide =
        Headers.of("llama")
            .add("model.layers.0.mlp.gate_proj.weight", 256, 8192)
            .add("model.layers.0.mlp.up_proj.weight", 256, 8192);
    assertThat(Headers.quantized(wide.plan()))
        .isEqualTo(
            Map.of(
                "model.layers.0.mlp.gate_proj", "output k=128, group 128, zero-point, 4 bits",
                "model.layers.0.mlp.up_proj", "output k=128, group 128, zero-point, 4 bits"));
    assertThat(Headers.quantized(wide.plan("side", "input")))
        .isEqualTo(Map.of(GATE_UP, "input k=8, group 128, symmetric, 4 bits"));
  }

  @Test
  void explicitBlocksAndSidesAreTakenWhateverTheyCost() {
    assertThat(Headers.quantized(smol.plan("group", "64", "block", "64")))
        .containsEntry(QKV, "input k=64, group 64, symmetric, 4 bits")
        .containsEntry(O, "input k=64, group 64, symmetric, 4 bits")
        .containsEntry(DOWN, "output k=64, group 64, zero-point, 4 bits");
    assertThat(Headers.quantized(smol.plan("group", "64", "side", "output")))
        .containsEntry(
            "model.layers.0.self_attn.k_proj", "output k=16, group 64, zero-point, 4 bits")
        .containsEntry("model.layers.0.mlp.up_proj", "output k=16, group 64, zero-point, 4 bits")
        .hasSize(7);
    assertThat(Headers.quantized(smol.plan("group", "64", "side", "input")))
        .containsEntry(DOWN, "input k=16, group 64, symmetric, 4 bits");
  }

  @Test
  void noTransformWhereNoneFits() {
    Plan plan = smol.plan("group", "64", "transform-bits", "0.1");
    assertThat(Headers.quantized(plan))
        .containsEntry(QKV, "input k=8, group 64, symmetric, 4 bits")
        .containsEntry(O, "no transform, group 64, zero-point, 4 bits")
        .containsEntry(GATE_UP, "input k=32, group 64, symmetric, 4 bits");
    Treatment treatment = treatment(plan, O);
    assertThat(treatment.transform()).isEqualTo(new TransformSpec.None());
    assertThat(treatment.rounding()).isEqualTo(Rounding.NEAREST_PLANE);
    // another storage of the scales may still be better at the same bits
    assertThat(treatment.fallBack()).isTrue();
    assertThat(Headers.quantized(smol.plan("transform-bits", "0")).values())
        .allMatch(text -> text.startsWith("no transform"));
  }

  @ParameterizedTest
  @CsvSource({"cafeq, 16, true", "rotation, 16, false", "hadamard, 512, false"})
  void treatmentsCarryTheRecipe(String method, int block, boolean fallBack) {
    Treatment treatment =
        treatment(smol.plan("method", method, "group", "64", "seed", "9", "steps", "50"), QKV);
    assertThat(treatment.seed()).isEqualTo(9);
    assertThat(treatment.steps()).isEqualTo(50);
    assertThat(treatment.rounding()).isEqualTo(Rounding.NEAREST_PLANE);
    assertThat(treatment.fallBack()).isEqualTo(fallBack);
    assertThat(treatment.transform())
        .isInstanceOfSatisfying(
            TransformSpec.BlockDiagonal.class, spec -> assertThat(spec.block()).isEqualTo(block));
  }

  @Test
  void ablationsHaveNothingToFallBackOn() {
    Plan plan =
        smol.plan("group", "64", "transform-bits", "0.1", "rounding", "stochastic", "loss", "hard");
    for (String unit : List.of(QKV, O)) {
      Treatment treatment = treatment(plan, unit);
      assertThat(treatment.rounding()).isEqualTo(Rounding.STOCHASTIC);
      assertThat(treatment.loss()).isEqualTo(Loss.HARD);
      assertThat(treatment.fallBack()).isFalse();
    }
    assertThat(Headers.quantized(plan))
        .containsEntry(O, "no transform, group 64, zero-point, 4 bits, stochastic");
    assertThat(treatment(smol.plan("group", "64"), QKV).loss()).isEqualTo(Loss.P_NORM);
  }

  @Test
  void bf16StorageCostsMore() {
    assertThat(Headers.quantized(smol.plan("group", "64", "transform-storage", "bf16")))
        .containsEntry(GATE_UP, "input k=32, group 64, symmetric, 4 bits");
  }

  @Test
  void hadamardTakesTheLargestPowerOfTwo() {
    assertThat(Headers.quantized(smol.plan("method", "hadamard", "group", "64")))
        .isEqualTo(
            Map.of(
                QKV,
                "hadamard input k=512, group 64, symmetric, 4 bits",
                O,
                "hadamard input k=512, group 64, symmetric, 4 bits",
                "model.layers.0.mlp.gate_proj",
                "hadamard output k=1024, group 64, zero-point, 4 bits",
                "model.layers.0.mlp.up_proj",
                "hadamard output k=1024, group 64, zero-point, 4 bits",
                DOWN,
                "hadamard input k=1024, group 64, symmetric, 4 bits"));
  }

  @Test
  void methodsWithoutTransformDoNotShare() {
    assertThat(Headers.quantized(smol.plan("method", "rtn", "group", "64")))
        .hasSize(7)
        .allSatisfy(
            (id, text) -> assertThat(text).isEqualTo("no transform, group 64, zero-point, 4 bits"));
  }

  @Test
  void explicitScalesWinOverTheSide() {
    assertThat(Headers.quantized(smol.plan("group", "64", "scales", "offset")))
        .containsEntry(QKV, "input k=16, group 64, offset, 4 bits")
        .containsEntry(DOWN, "output k=32, group 64, offset, 4 bits");
  }

  @Test
  void groupsAreTheLargestDivisorAndSaidSoOnceASize() {
    Plan plan = smol.plan("method", "rtn");
    assertThat(Headers.quantized(plan))
        .containsEntry(O, "no transform, group 96, zero-point, 4 bits")
        .containsEntry(DOWN, "no transform, group 128, zero-point, 4 bits");
    assertThat(plan.warnings())
        .singleElement()
        .asString()
        .contains(
            "Group 128 does not divide 576 input channels, so groups of 96 are taken (6 tensors,"
                + " such as ");
  }

  @ParameterizedTest
  @CsvSource({
    "576, 64, 64",
    "576, 128, 96",
    "576, 576, 0",
    "576, 1000, 0",
    "576, channel, 0",
    "577, 128, 0",
    "1154, 128, 0",
    "96, 100, 0",
    "100, 64, 50",
    "12, 4, 4",
    "24, 5, 0"
  })
  void groups(int columns, String group, int expected) {
    Plan plan =
        Headers.of("llama")
            .add("model.layers.0.mlp.up_proj.weight", 16, columns)
            .plan("method", "rtn", "group", group);
    assertThat(treatment(plan, "model.layers.0.mlp.up_proj").grid().group()).isEqualTo(expected);
  }

  @Test
  void columnScalesTakeABytePerInputChannel() {
    Plan scaled = smol.plan("group", "64", "column-scales", "true");
    assertThat(Headers.quantized(scaled))
        .containsEntry(QKV, "input k=16, column scales, group 64, symmetric, 4 bits")
        .containsEntry(DOWN, "output k=32, column scales, group 64, zero-point, 4 bits");
    UnitEstimate without = UnitEstimate.of(Headers.unit(smol.plan("group", "64"), QKV));
    UnitEstimate with = UnitEstimate.of(Headers.unit(scaled, QKV));
    assertThat(with.totalBits()).isEqualTo(without.totalBits() + 8 * 576);
    assertThat(with.scaleBits()).isEqualTo(without.scaleBits() + 8 * 576);
  }

  @ParameterizedTest
  @CsvSource({"method, rotation", "method, hadamard", "statistics, none", "rounding, stochastic"})
  void columnScalesAreForWhatStatisticsTell(String key, String value) {
    Plan plan = smol.plan("column-scales", "true", key, value);
    assertThat(Headers.quantized(plan).values()).noneMatch(text -> text.contains("column scales"));
  }

  @Test
  void estimatesCountEveryBit() {
    UnitEstimate qkv = UnitEstimate.of(Headers.unit(smol.plan("group", "64"), QKV));
    assertThat(qkv.weights()).isEqualTo(960 * 576);
    assertThat(qkv.codeBits()).isEqualTo(4L * 960 * 576);
    assertThat(qkv.scaleBits()).isEqualTo(960L * (9 * 8 + 16));
    assertThat(qkv.zeroBits()).isZero();
    assertThat(qkv.transformBits()).isEqualTo(36L * (8 * 256 + 16 * 16));
    assertThat(qkv.learningOperations()).isEqualTo(100L * 36 * 4 * 16 * 960 * 16);
    assertThat(qkv.bitsPerWeight()).isCloseTo(4 + 88.0 / 576 + 0.15, Offset.offset(1e-12));

    UnitEstimate down = UnitEstimate.of(Headers.unit(smol.plan("group", "64"), DOWN));
    assertThat(down.zeroBits()).isEqualTo(576L * 24 * 4);
    assertThat(down.learningOperations()).isEqualTo(100L * 18 * 4 * 32 * 1536 * 32);
    assertThat(
            UnitEstimate.of(Headers.unit(smol.plan("group", "64", "method", "rotation"), QKV))
                .learningOperations())
        .isZero();
  }

  @Test
  void estimatesCountTails() {
    Unit unit =
        Headers.unit(
            Headers.of("llama")
                .add("model.layers.0.mlp.up_proj.weight", 2048, 40)
                .plan("block", "32", "side", "input"),
            "model.layers.0.mlp.up_proj");
    assertThat(UnitEstimate.of(unit).learningOperations())
        .isEqualTo(100L * 4 * 2048 * (32 * 32 + 8 * 8));
    assertThat(UnitEstimate.of(unit).transformBits()).isEqualTo(8 * (32 * 32 + 8 * 8) + 16 * 40);
  }

  @Test
  void plansAddUp() {
    Headers model = Headers.decoder("llama", Geometry.SMOLLM2);
    PlanEstimate estimate = PlanEstimate.of(model.plan("group", "64"));
    long kept = 2L * 49152 * 576 + 3 * 576;
    assertThat(estimate.units()).isEqualTo(5);
    assertThat(estimate.tensors()).isEqualTo(12);
    assertThat(estimate.copied().weights()).isEqualTo(kept);
    assertThat(estimate.copied().bytes()).isEqualTo(2 * kept);
    assertThat(estimate.quantized().weights()).isEqualTo(960L * 576 + 576 * 576 + 3 * 576 * 1536);
    assertThat(estimate.bitsPerWeight()).isBetween(4.3, 4.4);
    assertThat(estimate.modelBitsPerWeight()).isBetween(15.0, 16.0);
    assertThat(estimate.outputBytes())
        .isBetween(estimate.modelBytes(), estimate.modelBytes() + 100_000);
    assertThat(PlanEstimate.of(Headers.of("llama").plan()).modelBitsPerWeight()).isZero();
  }

  private static Treatment treatment(Plan plan, String id) {
    return ((Part.Stack) ((Unit.Quantized) Headers.unit(plan, id)).parts().getFirst()).treatment();
  }
}
