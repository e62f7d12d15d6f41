package io.cafeq.engine.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import io.cafeq.engine.modelconfig.ModelConfig;
import io.cafeq.engine.text.VisibleText;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;

/**
 * What a model's config.json says of its quantization, which is taken as a hint: shapes decide.
 *
 * @param tileRows output channels of a tile of scales
 * @param groups sizes of groups, ascending
 * @param bits of integers, ascending
 * @param equalHeads whether queries, keys and values have as many channels each, as far as
 *     config.json says
 */
record QuantizationConfig(
    int tileRows, int tileColumns, List<Integer> groups, List<Integer> bits, boolean equalHeads) {
  private static final int USUAL_TILE = 128;
  private static final String BLOCK_SIZE = "weight_block_size";

  QuantizationConfig {
    groups = List.copyOf(groups);
    bits = List.copyOf(bits);
  }

  /** {@link CheckpointException} where {@code weight_block_size} is there and makes no sense. */
  static QuantizationConfig of(ModelConfig config) {
    JsonNode quantization = node(config).orElseGet(MissingNode::getInstance);
    int[] tile = tile(quantization);
    TreeSet<Integer> groups = new TreeSet<>();
    TreeSet<Integer> bits = new TreeSet<>();
    for (JsonNode weights : quantization.path("config_groups").findValues("weights")) {
      number(weights.path("group_size")).ifPresent(groups::add);
      number(weights.path("num_bits")).ifPresent(bits::add);
    }
    number(quantization.path("group_size")).ifPresent(groups::add);
    boolean equalHeads =
        config.text().keyHeads().isEmpty()
            || config.text().keyHeads().equals(config.text().heads());
    return new QuantizationConfig(
        tile[0], tile[1], List.copyOf(groups), List.copyOf(bits), equalHeads);
  }

  /** {@code quantization_config}, or what else it is called, wherever in config.json. */
  static Optional<JsonNode> node(ModelConfig config) {
    List<JsonNode> places = config.sections();
    return List.of("quantization_config", "compression_config", "quantization").stream()
        .flatMap(key -> places.stream().map(place -> place.path(key)))
        .filter(JsonNode::isObject)
        .findFirst();
  }

  private static int[] tile(JsonNode quantization) {
    JsonNode size = quantization.path(BLOCK_SIZE);
    if (size.isMissingNode() || size.isNull()) {
      for (JsonNode weights : quantization.path("config_groups").findValues("weights")) {
        JsonNode block = weights.path("block_structure");
        if (block.size() == 2 && isLength(block.get(0)) && isLength(block.get(1))) {
          return new int[] {block.get(0).intValue(), block.get(1).intValue()};
        }
      }
      return new int[] {USUAL_TILE, USUAL_TILE};
    }
    if (!size.isArray() || size.size() != 2 || !isLength(size.get(0)) || !isLength(size.get(1))) {
      throw new CheckpointException(
          "config.json: quantization_config."
              + BLOCK_SIZE
              + ": expected two whole numbers above 0, found "
              + VisibleText.shortened(size.toString()),
          "Download config.json again, or fix it.");
    }
    return new int[] {size.get(0).intValue(), size.get(1).intValue()};
  }

  private static Optional<Integer> number(JsonNode node) {
    return isLength(node) ? Optional.of(node.intValue()) : Optional.empty();
  }

  private static boolean isLength(JsonNode node) {
    return node.isIntegralNumber() && node.canConvertToInt() && node.intValue() > 0;
  }

  TileFinder tiles() {
    return new TileFinder(tileRows, tileColumns, groups, false);
  }
}
