package io.cafeq.engine.checkpoint;

import io.cafeq.engine.modelconfig.ModelConfig;
import io.cafeq.engine.text.VisibleText;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;

/**
 * Tells from headers and config.json, neither of which is trusted, which tensors are weight
 * matrices, in which layout. Reads no data but shapes of packed integers. Immutable. Each way of
 * storing quantized weights is one {@link QuantizedWeights}.
 */
public final class WeightTensors {
  /** What a stored tensor is. */
  public sealed interface Reading {
    /** One matrix, or one for each expert, that {@link TensorReader} reads. */
    record Weights(WeightTensor weight) implements Reading {}

    /**
     * Nothing that is read as weights.
     *
     * @param reason continues "NAME ", for people
     */
    record NoWeights(String reason) implements Reading {}
  }

  private final Map<String, TensorInfo> byName;
  private final List<QuantizedWeights> conventions;
  private final SortedMap<String, String> companions;
  private final Map<String, List<Long>> shapes;

  private WeightTensors(
      Map<String, TensorInfo> byName,
      QuantizationConfig config,
      Function<TensorInfo, Optional<List<Long>>> extents) {
    this.byName = byName;
    Companions names = new Companions(byName);
    this.conventions =
        List.of(
            Float8Weights.of(names, config),
            new BlockWeights(names),
            new Float4Weights(names),
            new IntegerWeights(names, config, extents));
    SortedMap<String, String> found = new TreeMap<>();
    byName
        .values()
        .forEach(info -> companionsOf(info).forEach(each -> found.put(each.name(), info.name())));
    this.companions = Collections.unmodifiableSortedMap(found);
    this.shapes = Collections.unmodifiableMap(unquantizedShapes());
  }

  /**
   * Of tensors of which only the headers are there. {@link CheckpointException} where {@code
   * weight_block_size} of {@code config} is there and makes no sense.
   */
  public static WeightTensors of(Collection<TensorInfo> tensors, ModelConfig config) {
    return of(tensors, config, info -> Optional.empty());
  }

  /** As the other, with the data to read shapes from. */
  public static WeightTensors of(
      Collection<TensorInfo> tensors, ModelConfig config, TensorSource source) {
    return of(tensors, config, info -> StoredShape.read(source, info));
  }

  private static WeightTensors of(
      Collection<TensorInfo> tensors,
      ModelConfig config,
      Function<TensorInfo, Optional<List<Long>>> extents) {
    Map<String, TensorInfo> byName = HashMap.newHashMap(tensors.size());
    tensors.forEach(tensor -> byName.put(tensor.name(), tensor));
    return new WeightTensors(byName, QuantizationConfig.of(config), extents);
  }

  /**
   * Scales, zero points and the like, each with the name of the tensor whose weights they go into:
   * they go where that tensor goes, and are no weights themselves.
   */
  public SortedMap<String, String> companions() {
    return companions;
  }

  /**
   * The shape of each tensor by its name, of quantized weights the one that they would have as
   * floats; without what goes into other weights.
   */
  public Map<String, List<Long>> shapes() {
    return shapes;
  }

  private Map<String, List<Long>> unquantizedShapes() {
    Map<String, List<Long>> unquantized = HashMap.newHashMap(byName.size());
    byName.forEach(
        (name, info) -> {
          if (!companions.containsKey(name)) {
            unquantized.put(name, info.dtype().isWeight() ? info.shape() : unquantizedShape(info));
          }
        });
    return unquantized;
  }

  private List<Long> unquantizedShape(TensorInfo info) {
    return switch (read(info, false)) {
      case Reading.Weights(WeightTensor weight) -> weight.unquantized().shape();
      case Reading.NoWeights no -> info.shape();
    };
  }

  /**
   * What the tensor is.
   *
   * @param transposed whether the model's family stores this tensor as [in, out]; without meaning
   *     for layouts that never are
   */
  public Reading read(TensorInfo info, boolean transposed) {
    if (companions.containsKey(info.name())) {
      return new Reading.NoWeights(
          "goes into the weights of " + VisibleText.quoted(companions.get(info.name())));
    }
    for (long length : info.shape()) {
      if (length == 0 || length > Integer.MAX_VALUE) {
        return new Reading.NoWeights(
            "has the shape "
                + info.shape()
                + (length == 0 ? ", no elements" : ", beyond what a matrix can have"));
      }
    }
    if (info.dtype().isWeight()) {
      return stored(info, transposed ? new WeightLayout.Transposed() : new WeightLayout.Plain());
    }
    return conventions.stream()
        .filter(convention -> !convention.companions(info).isEmpty())
        .findFirst()
        .map(convention -> convention.read(info, transposed))
        .orElseGet(() -> new Reading.NoWeights(withoutScales(info)));
  }

  private static String withoutScales(TensorInfo info) {
    return switch (info.dtype()) {
      case F8_E4M3, F8_E5M2 ->
          "has 8-bit floats, but there are no scales of them, such as "
              + VisibleText.quoted(Companions.names(info.name(), "scale").getFirst());
      case F8_E8M0 -> "has powers of two (F8_E8M0), which are scales";
      case U8 ->
          BlockWeights.isNamedSo(info)
              ? "has no scales "
                  + VisibleText.quoted(BlockWeights.scalesName(info))
                  + " of U8 beside it"
              : integers(info);
      case I64, I32, I16, I8, U64, U32, U16, BOOL -> integers(info);
      case F64, F32, F16, BF16 ->
          throw new IllegalArgumentException("floats have no scales: " + info.dtype());
    };
  }

  private static String integers(TensorInfo info) {
    return "has elements of "
        + info.dtype()
        + (info.shape().size() > 1
            ? ", packed by another quantizer or no weights"
            : ", no weights");
  }

  /**
   * A tensor whose dimensions say how many experts, rows and columns there are; all rows are
   * counted in an int.
   */
  private static Reading stored(TensorInfo info, WeightLayout layout) {
    int dimensions = info.shape().size();
    if (dimensions < 2 || dimensions > 3) {
      return new Reading.NoWeights(
          "has "
              + dimensions
              + (dimensions == 1 ? " dimension" : " dimensions")
              + ", a matrix has 2, a stack of them 3");
    }
    WeightTensor weight = new WeightTensor(info, layout);
    return (long) weight.experts() * weight.rows() > Integer.MAX_VALUE
        ? new Reading.NoWeights("has the shape " + info.shape() + ", more rows than are counted")
        : new Reading.Weights(weight);
  }

  private List<TensorInfo> companionsOf(TensorInfo info) {
    return conventions.stream()
        .map(convention -> convention.companions(info))
        .filter(found -> !found.isEmpty())
        .findFirst()
        .orElse(List.of());
  }
}
