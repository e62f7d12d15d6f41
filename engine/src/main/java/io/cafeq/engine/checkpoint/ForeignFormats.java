package io.cafeq.engine.checkpoint;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Tells by names and types which tensors hold weights that another program packed, and which
 * program that was.
 */
record ForeignFormats(Map<String, TensorInfo> byName) {
  /** What holds packed weights whatever its type, after the module's name. */
  private static final Pattern MAIN =
      Pattern.compile(
          "(?<module>.*?)[._:](qweight|W_q|codes|Qidxs|trellis|q_weight|indices|dense_weights|compressed|weight_packed|"
              + "weight\\._data|(_?weight)?[._:]?_?(qdata|int_data)|weight:_data|B)");

  private static final Pattern WEIGHT =
      Pattern.compile(
          "(?<module>.*?)[._]?(weight|\\w*proj|experts?|w[123]|w13|w2|\\w*linear\\w*|fc\\d?|dense|\\w+_blocks)");

  /** A program and what it adds to a module's tensors. */
  private record Sign(String method, List<String> endings) {}

  private static final List<Sign> SIGNS =
      List.of(
          new Sign("bitsandbytes (nf4)", List.of(".weight.quant_state.bitsandbytes__nf4")),
          new Sign("bitsandbytes (fp4)", List.of(".weight.quant_state.bitsandbytes__fp4")),
          new Sign("bitsandbytes (4 bits)", List.of(".weight.absmax", ".weight.quant_map")),
          new Sign("bitsandbytes (int8)", List.of(".SCB", ".weight_format")),
          new Sign("HQQ", List.of(".W_q")),
          new Sign("AQLM", List.of(".codebooks")),
          new Sign("QuIP#", List.of(".Qidxs")),
          new Sign("EXL3", List.of(".trellis")),
          new Sign("EXL2", List.of(".q_weight", ".q_invperm")),
          new Sign("VPTQ", List.of(".centroids.weight", ".centroids", ".res_centroids.weight")),
          new Sign("SpQR", List.of(".dense_weights")),
          new Sign("HIGGS", List.of(".tables2", ".tables")),
          new Sign("quanto", List.of(".weight._data", ".weight._scale")),
          new Sign(
              "torchao",
              List.of(
                  ".weight:_data",
                  ".weight_qdata",
                  "._weight_qdata",
                  ".weight_int_data",
                  ":qdata")),
          new Sign("GGUF", List.of(".qweight_type")),
          new Sign("SVDQuant", List.of(".wscales")),
          new Sign("FP-Quant", List.of(".dqweight", ".forward_hadamard_matrix")),
          new Sign(
              "compressed-tensors (2:4 sparse)",
              List.of(".scale_packed", ".meta", ".bitmask", ".compressed")),
          new Sign("Marlin", List.of(".B")),
          new Sign("EETQ", List.of(".weight_scales")),
          new Sign("AWQ", List.of(".pre_quant_scale")));

  /** Whether the tensor holds weights in codes, as far as its name and type tell. */
  boolean isPacked(TensorInfo info) {
    boolean isInteger =
        switch (info.dtype()) {
          case F8_E4M3, F8_E5M2, I8, U8, I16, U16, I32, U32 -> true;
          case F64, F32, F16, BF16, F8_E8M0, I64, U64, BOOL -> false;
        };
    Matcher main = MAIN.matcher(info.name());
    return main.matches() && method(main.group("module"), info).isPresent()
        || isInteger && info.shape().size() > 1 && WEIGHT.matcher(info.name()).matches();
  }

  /** The program that packed the tensor, where names tell. */
  Optional<String> method(TensorInfo info) {
    Matcher main = MAIN.matcher(info.name());
    Matcher weight = WEIGHT.matcher(info.name());
    if (main.matches()) {
      return method(main.group("module"), info);
    }
    return weight.matches() ? method(weight.group("module"), info) : Optional.empty();
  }

  private Optional<String> method(String module, TensorInfo info) {
    return SIGNS.stream()
        .filter(
            sign -> sign.endings().stream().anyMatch(ending -> byName.containsKey(module + ending)))
        .map(Sign::method)
        .findFirst()
        .or(() -> byShapes(module, info));
  }

  /** GPTQ and AWQ share names, and differ in the side along which words are packed. */
  private Optional<String> byShapes(String module, TensorInfo info) {
    TensorInfo scales = byName.get(module + ".scales");
    if (info.name().endsWith("qweight")) {
      boolean alongOutput =
          scales != null
              && info.shape().size() == 2
              && scales.shape().size() == 2
              && !info.shape().getLast().equals(scales.shape().getLast());
      return Optional.of(alongOutput ? "AWQ" : "GPTQ");
    }
    if (info.dtype() == Dtype.U32 && scales != null) {
      return Optional.of("MLX");
    }
    boolean hasScale = byName.containsKey(module + ".weight_scale");
    return info.dtype() == Dtype.U8 && hasScale
        ? Optional.of("BitNet or another program that packs into bytes")
        : Optional.empty();
  }
}
