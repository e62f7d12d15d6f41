package io.cafeq.engine.checkpoint;

import io.cafeq.engine.checkpoint.WeightLayout.CodeKind;
import io.cafeq.engine.checkpoint.WeightLayout.Codes;
import io.cafeq.engine.checkpoint.WeightLayout.GlobalScale;
import io.cafeq.engine.checkpoint.WeightLayout.Quantized;
import io.cafeq.engine.checkpoint.WeightLayout.Scales;
import io.cafeq.engine.checkpoint.WeightLayout.Tiles;
import io.cafeq.engine.checkpoint.WeightTensors.Reading;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Weights of 4-bit floats, two per byte of U8 [out, in / 2]. NVFP4 has a scale of E4M3 for each 16
 * and a second one for the tensor, which multiplies the scales as {@code weight_scale_2} (ModelOpt)
 * and divides them as {@code weight_global_scale} (compressed-tensors); MXFP4 has a power of two
 * for each 32. Stacks of experts too, also as [experts, in / 2, out].
 */
record Float4Weights(Companions companions) implements QuantizedWeights {
  private static final Codes CODES = new Codes(CodeKind.FLOAT4, 4);
  private static final String FACTOR = "scale_2";
  private static final String DIVISOR = "global_scale";
  private static final List<Integer> GROUPS = List.of(16, 32);

  @Override
  public List<TensorInfo> companions(TensorInfo info) {
    Optional<TensorInfo> scales =
        info.dtype() == Dtype.U8
            ? companions
                .find(info, "scale")
                .filter(scale -> isSmall(scale) || global(info).isPresent())
            : Optional.empty();
    if (scales.isEmpty()) {
      return List.of();
    }
    List<TensorInfo> found = new ArrayList<>(List.of(scales.get()));
    global(info).map(GlobalScale::tensor).ifPresent(found::add);
    return found;
  }

  private static boolean isSmall(TensorInfo scale) {
    return switch (scale.dtype()) {
      case F8_E4M3, F8_E8M0, U8 -> true;
      case F64, F32, F16, BF16, F8_E5M2, I64, I32, I16, I8, U64, U32, U16, BOOL -> false;
    };
  }

  private Optional<GlobalScale> global(TensorInfo info) {
    return companions
        .find(info, FACTOR)
        .map(factor -> new GlobalScale(factor, false))
        .or(() -> companions.find(info, DIVISOR).map(divisor -> new GlobalScale(divisor, true)));
  }

  @Override
  public Reading read(TensorInfo info, boolean transposed) {
    TensorInfo scale = companions(info).getFirst();
    List<Long> shape = info.shape();
    Optional<Reading> obstacle =
        QuantizedWeights.noMatrix(info, "4-bit floats")
            .or(() -> QuantizedWeights.scaledInputs(companions, info));
    if (obstacle.isPresent()) {
      return obstacle.get();
    }
    Optional<GlobalScale> global = global(info);
    long experts = shape.size() > 2 ? shape.getFirst() : 0;
    if (global.filter(each -> !isOneForEach(each.tensor(), experts)).isPresent()) {
      return QuantizedWeights.mismatch(
          info, global.get().tensor(), "one number, or one for each expert");
    }
    // Where the family's word does not fit the scales, theirs counts: some programs turn stacks
    // before they pack them.
    return layout(info, scale, transposed)
        .or(() -> layout(info, scale, !transposed))
        .map(found -> QuantizedWeights.counted(new WeightTensor(info, with(found, global))))
        .orElseGet(
            () -> QuantizedWeights.mismatch(info, scale, "one for each 16 or 32 input channels"));
  }

  private static Quantized with(Quantized layout, Optional<GlobalScale> global) {
    Scales scales = layout.scales();
    return Quantized.of(
        layout.kind(),
        layout.weights(),
        layout.codes(),
        new Scales(scales.tensor(), scales.dtype(), scales.tiles(), global, Optional.empty()));
  }

  private static boolean isOneForEach(TensorInfo tensor, long experts) {
    return tensor.dtype().isWeight() && (tensor.elements() == 1 || tensor.elements() == experts);
  }

  private static Optional<Quantized> layout(TensorInfo info, TensorInfo scale, boolean transposed) {
    List<Long> shape = info.shape();
    long experts = shape.size() > 2 ? shape.getFirst() : 0;
    long rows = shape.get(shape.size() - 2) * (transposed ? 2 : 1);
    long columns = shape.getLast() * (transposed ? 1 : 2);
    TileFinder.Stored matrix = new TileFinder.Stored(experts, rows, columns, transposed, 1);
    boolean isPowerOfTwo = scale.dtype() == Dtype.U8 || scale.dtype() == Dtype.F8_E8M0;
    int group = isPowerOfTwo ? 32 : 16;
    return GROUPS.stream()
        .filter(size -> size == group || !isPowerOfTwo && scale.dtype() != Dtype.F8_E4M3)
        .flatMap(size -> tiles(matrix, scale, size).stream())
        .findFirst()
        .map(
            tiles ->
                Quantized.of(
                    QuantizedWeights.kind(transposed),
                    QuantizedWeights.shape(matrix),
                    CODES,
                    Scales.of(scale, tiles)));
  }

  private static Optional<Tiles> tiles(TileFinder.Stored matrix, TensorInfo scale, int group) {
    long groups = Math.ceilDiv(matrix.in(), group);
    List<Long> plain = new ArrayList<>(List.of(matrix.out(), groups));
    List<Long> turned = new ArrayList<>(List.of(groups, matrix.out()));
    if (matrix.experts() > 0) {
      plain.addFirst(matrix.experts());
      turned.addFirst(matrix.experts());
    }
    boolean isPlain = scale.shape().equals(plain);
    boolean isTurned = scale.shape().equals(turned);
    boolean prefersTurned = isTurned && (matrix.isTransposed() || !isPlain);
    return isPlain || isTurned
        ? Optional.of(new Tiles(1, group, matrix.experts() > 0, prefersTurned))
        : Optional.empty();
  }
}
