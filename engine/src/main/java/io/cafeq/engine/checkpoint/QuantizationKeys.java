package io.cafeq.engine.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Tells which fields of a model's JSON describe how its stored weights are quantized, by whatever
 * program: true of these weights alone, and of no others that take their place.
 */
public final class QuantizationKeys {
  private static final Pattern ALWAYS =
      Pattern.compile(
          "(.+_)?(quanti[sz]ation|quanti[sz]e|quant)_(config|cfg|args|scheme|method|algo|map)|compression_config"
              + "|(gptq|awq|bnb|bitsandbytes|hqq|torchao|quanto|quark|modelopt|aqlm|auto_?round|exl[23])(_config)?"
              + "|.*kv_?cache_(scheme|scales?|quant\\w*)|_?pre_quantization_dtype|_?load_in_\\d+_?bit|is_quantized"
              + "|weight_block_size");

  /** Names that a model can have for a part of its own, such as a codec that quantizes vectors. */
  private static final Set<String> BY_VALUE =
      Set.of(
          "quantization",
          "quant",
          "compression",
          "quantization_bit",
          "quantization_bits",
          "expert_dtype");

  private static final Set<String> FIELDS =
      Set.of(
          "bits",
          "group_size",
          "quant_method",
          "quant_algo",
          "method",
          "mode",
          "format",
          "config_groups",
          "weights",
          "num_bits",
          "w_bit",
          "q_group_size",
          "wbits",
          "exclude_modules",
          "kv_cache_quant_algo",
          "qformat_weight",
          "quant_type",
          "dtype");
  private static final Set<String> CODEC =
      Set.of("codebook_size", "codebook_dim", "num_quantizers", "n_codebooks");
  private static final Pattern NARROW =
      Pattern.compile("(torch\\.)?((mx|nv)?(fp|float|u?int)[1-8]([_a-z].*)?|e[2-5]m[1-3].*)");

  private QuantizationKeys() {}

  /**
   * Whether the field describes stored weights. Not where it says what a model does with plain
   * ones, or with a codec.
   */
  public static boolean isDescription(String key, JsonNode value) {
    if (isComputation(value) || CODEC.stream().anyMatch(value::has)) {
      return false;
    }
    return ALWAYS.matcher(key).matches() || BY_VALUE.contains(key) && describes(key, value);
  }

  /**
   * Whether the object says how plain weights are quantized as they are used, as BitNet's does: a
   * part of the model.
   */
  public static boolean isComputation(JsonNode value) {
    return value.path("quantization_mode").asText().equals("online");
  }

  private static boolean describes(String key, JsonNode value) {
    return switch (value.getNodeType()) {
      case OBJECT -> FIELDS.stream().anyMatch(value::has);
      case STRING -> !value.textValue().isEmpty() && !isFloat(value.textValue());
      case NUMBER -> key.startsWith("quantization_bit") && value.asDouble() != 0;
      case NULL, MISSING -> true;
      case ARRAY, BINARY, BOOLEAN, POJO -> false;
    };
  }

  private static boolean isFloat(String dtype) {
    return dtype.matches("(torch\\.)?(b?f(p|loat)?16|f(p|loat)?(32|64)|half|double|none)");
  }

  /**
   * Whether the name of an element type, as config.json has it, is one that only quantized weights
   * have.
   */
  public static boolean isNarrow(String dtype) {
    return NARROW.matcher(dtype).matches();
  }

  /** Whether a field anywhere in the JSON is a description. */
  public static boolean isIn(JsonNode node) {
    return !isComputation(node)
            && node.properties().stream()
                .anyMatch(
                    field ->
                        isDescription(field.getKey(), field.getValue()) || isIn(field.getValue()))
        || node.isArray() && node.valueStream().anyMatch(QuantizationKeys::isIn);
  }
}
