package io.cafeq.engine.checkpoint;

import io.cafeq.engine.checkpoint.WeightLayout.CodeKind;
import io.cafeq.engine.checkpoint.WeightLayout.Codes;
import io.cafeq.engine.checkpoint.WeightLayout.Quantized;
import io.cafeq.engine.checkpoint.WeightLayout.Scales;
import io.cafeq.engine.checkpoint.WeightLayout.Tiles;
import io.cafeq.engine.checkpoint.WeightTensors.Reading;
import io.cafeq.engine.text.VisibleText;
import java.util.List;
import java.util.Optional;

/**
 * MXFP4 of stacked experts, as gpt-oss stores it: {@code X_blocks} U8 [experts, out, in / 32, 16],
 * two 4-bit floats per byte, and {@code X_scales} U8 [experts, out, in / 32] with powers of two.
 */
record BlockWeights(Companions companions) implements QuantizedWeights {
  /** Weights that share a scale. */
  static final int BLOCK = 32;

  private static final int BLOCK_BYTES = BLOCK / 2;
  private static final Codes CODES = new Codes(CodeKind.FLOAT4, 4);
  private static final String BLOCKS = "_blocks";
  private static final String SCALES = "_scales";

  static boolean isNamedSo(TensorInfo info) {
    return info.name().endsWith(BLOCKS);
  }

  static String scalesName(TensorInfo blocks) {
    return blocks.name().substring(0, blocks.name().length() - BLOCKS.length()) + SCALES;
  }

  @Override
  public List<TensorInfo> companions(TensorInfo info) {
    return info.dtype() == Dtype.U8 && isNamedSo(info)
        ? Optional.ofNullable(companions.byName().get(scalesName(info)))
            .filter(scale -> scale.dtype() == Dtype.U8)
            .stream()
            .toList()
        : List.of();
  }

  @Override
  public Reading read(TensorInfo info, boolean transposed) {
    TensorInfo scale = companions(info).getFirst();
    List<Long> shape = info.shape();
    if (shape.size() != 4 || shape.getLast() != BLOCK_BYTES) {
      return new Reading.NoWeights(
          "has scales "
              + VisibleText.quoted(scale.name())
              + " ("
              + scale.file()
              + "): expected the shape "
              + "[experts, out, in / 32, "
              + BLOCK_BYTES
              + "], found "
              + shape);
    }
    if (!scale.shape().equals(shape.subList(0, 3))) {
      return QuantizedWeights.mismatch(info, scale, shape.subList(0, 3).toString());
    }
    return QuantizedWeights.counted(
        new WeightTensor(
            info,
            Quantized.of(
                LayoutKind.MICRO_SCALED,
                List.of(shape.get(0), shape.get(1), shape.get(2) * BLOCK),
                CODES,
                Scales.of(scale, new Tiles(1, BLOCK, true, false)))));
  }
}
