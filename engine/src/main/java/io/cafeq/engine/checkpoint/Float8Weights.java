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
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Weights of 8-bit floats: {@code X.weight} with {@code X.weight_scale_inv}, {@code
 * X.weight_scale}, {@code X.scale} or the like, one for the tensor, an output channel, a tile or a
 * group (powers of two in MXFP8), as DeepSeek, ModelOpt, compressed-tensors, FBGEMM and others
 * write them.
 */
record Float8Weights(Companions companions, QuantizationConfig config, TileFinder tiles)
    implements QuantizedWeights {
  private static final Codes CODES = new Codes(CodeKind.FLOAT8, Byte.SIZE);
  private static final Pattern TWO_PARTS =
      Pattern.compile("(.*[._])?(gate_(and_)?up|w13)(_proj)?([._]weight)?");
  private static final Pattern THREE_PARTS =
      Pattern.compile("(.*[._])?(qkv|qkv_proj|Wqkv|W_pack)\\.weight");

  static Float8Weights of(Companions companions, QuantizationConfig config) {
    Float8Weights weights = new Float8Weights(companions, config, config.tiles());
    Set<Boolean> told =
        companions.byName().values().stream()
            .flatMap(
                info ->
                    weights.companions(info).stream()
                        .flatMap(
                            scale ->
                                weights
                                    .tiles()
                                    .tellsTransposed(info.shape(), scale.shape())
                                    .stream()))
            .collect(Collectors.toSet());
    return told.equals(Set.of(true))
        ? new Float8Weights(companions, config, weights.tiles().withTransposedScales())
        : weights;
  }

  @Override
  public List<TensorInfo> companions(TensorInfo info) {
    return switch (info.dtype()) {
      case F8_E4M3, F8_E5M2 -> companions.anyScales(info).stream().toList();
      case F64, F32, F16, BF16, F8_E8M0, I64, I32, I16, I8, U64, U32, U16, U8, BOOL -> List.of();
    };
  }

  @Override
  public Reading read(TensorInfo info, boolean transposed) {
    TensorInfo scale = companions(info).getFirst();
    List<Long> shape = info.shape();
    boolean isFloat =
        switch (scale.dtype()) {
          case F64, F32, F16, BF16, F8_E8M0, F8_E4M3, F8_E5M2, U8 -> true;
          case I64, I32, I16, I8, U64, U32, U16, BOOL -> false;
        };
    if (!isFloat) {
      return new Reading.NoWeights(
          "has scales "
              + VisibleText.quoted(scale.name())
              + " of "
              + scale.dtype()
              + ", which are no floats");
    }
    Optional<Reading> obstacle =
        QuantizedWeights.noMatrix(info, "8-bit floats")
            .or(() -> QuantizedWeights.scaledInputs(companions, info));
    if (obstacle.isPresent()) {
      return obstacle.get();
    }
    boolean isStack = shape.size() > 2;
    TileFinder.Stored matrix =
        new TileFinder.Stored(
            isStack ? shape.getFirst() : 0,
            shape.get(shape.size() - 2),
            shape.getLast(),
            transposed,
            parts(info));
    Optional<Tiles> found = tiles.find(matrix, scale.shape());
    if (found.isEmpty()) {
      return QuantizedWeights.mismatch(
          info,
          scale,
          "one for all, for each output channel, for each tile of "
              + config.tileRows()
              + " x "
              + config.tileColumns()
              + " or of the only other size that fits, or for each "
              + "group of input channels");
    }
    LayoutKind kind = isStack || transposed ? QuantizedWeights.kind(transposed) : LayoutKind.TILED;
    return QuantizedWeights.counted(
        new WeightTensor(
            info,
            Quantized.of(
                kind, QuantizedWeights.shape(matrix), CODES, Scales.of(scale, found.get()))));
  }

  private int parts(TensorInfo info) {
    if (TWO_PARTS.matcher(info.name()).matches()) {
      return 2;
    }
    return THREE_PARTS.matcher(info.name()).matches() && config.equalHeads() ? 3 : 1;
  }
}
