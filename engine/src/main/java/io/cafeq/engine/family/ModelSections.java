package io.cafeq.engine.family;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * What config.json says about the size of the text model and about models of other modalities beside it.
 *
 * @param hidden channels of the text model's layers
 * @param layers of the text model
 * @param vocabularies sizes of vocabularies, whichever section names them
 * @param heads how many heads of any kind, groups of them and experts there are: a matrix with so few rows steers them
 * @param experts how many experts there are
 * @param others sections of other modalities
 * @param encoderDecoder whether two stacks of layers make one model
 */
record ModelSections(
    OptionalLong hidden, OptionalLong layers, Set<Long> vocabularies, Set<Long> heads, Set<Long> experts,
    List<Section> others, boolean encoderDecoder) {

  /** A model of another modality; 0 where it does not say. */
  record Section(String name, long hidden, long layers) {}

  private static final List<String> HIDDEN = List.of("hidden_size", "n_embd", "d_model", "dim", "model_dim", "embed_dim");
  private static final List<String> LAYERS = List.of(
      "num_hidden_layers", "n_layer", "n_layers", "num_layers", "depth", "encoder_layers");
  private static final Pattern VOCABULARY = Pattern.compile("(?:.*_)?(?:n_vocab|vocab_size)(?:_.*)?");
  private static final Pattern HEADS = Pattern.compile("(?:.*_)?(?:n_?heads?|num_(?:.*_)?heads?|heads)(?:_.*)?");
  private static final Pattern EXPERTS = Pattern.compile("(?:n|num|moe_num|moe_n)_?(?:.*_)?experts?");
  private static final Pattern SIZE = Pattern.compile(".*(?:_dim|_size|_tok|_token|_per_.*)");
  private static final Set<String> OF_OTHER_MODALITIES = Set.of(
      "patch_size", "image_size", "num_mel_bins", "sampling_rate", "sample_rate", "num_channels", "in_channels",
      "in_chans", "input_feat_per_channel", "codebook_size");
  private static final int DEEPEST = 4;

  static ModelSections of(JsonNode config) {
    JsonNode text = TextConfig.sectionOf(config);
    JsonNode keys = TextConfig.of(config).node();
    Set<Long> vocabularies = new HashSet<>();
    Set<Long> heads = new HashSet<>();
    Set<Long> experts = new HashSet<>();
    List<Section> others = new ArrayList<>();
    visit(config, text, DEEPEST, others, vocabularies);
    for (Map.Entry<String, JsonNode> entry : keys.properties()) {
      if (SIZE.matcher(entry.getKey()).matches()) {
        continue;
      }
      if (HEADS.matcher(entry.getKey()).matches()) {
        counts(entry.getValue(), heads);
      } else if (EXPERTS.matcher(entry.getKey()).matches()) {
        counts(entry.getValue(), experts);
      }
    }
    heads.addAll(experts);
    boolean both = config.path("is_encoder_decoder").asBoolean() || config.has("num_decoder_layers")
        || config.has("decoder_layers");
    // a model of one modality alone has no towers
    boolean hasText = text != config || !vocabularies.isEmpty();
    return new ModelSections(
        first(keys, HIDDEN), first(keys, LAYERS), vocabularies, heads, experts, hasText ? others : List.of(), both);
  }

  ModelSections {
    vocabularies = Set.copyOf(vocabularies);
    heads = Set.copyOf(heads);
    experts = Set.copyOf(experts);
    others = List.copyOf(others);
  }

  private static void visit(
      JsonNode section, JsonNode text, int depth, List<Section> others, Set<Long> vocabularies) {
    for (Map.Entry<String, JsonNode> entry : section.properties()) {
      JsonNode value = entry.getValue();
      if (VOCABULARY.matcher(entry.getKey()).matches()) {
        counts(value, vocabularies);
      }
      boolean named = NameWords.of(entry.getKey()).hasAny(LayerWords.OTHER_MODALITIES)
          && !NameWords.of(entry.getKey()).hasAny(LayerWords.TEXT);
      if (value.isObject() && value != text) {
        if (named || OF_OTHER_MODALITIES.stream().anyMatch(value::has)) {
          others.add(new Section(
              entry.getKey(), first(value, HIDDEN).orElse(0), first(value, LAYERS).orElse(0)));
        } else if (depth > 1) {
          visit(value, text, depth - 1, others, vocabularies);
        }
      } else if (value == text && depth > 1) {
        visit(value, text, depth - 1, others, vocabularies);
      } else if (named && value.isTextual() && entry.getKey().endsWith("tower")) {
        others.add(new Section(entry.getKey(), 0, 0));
      }
    }
  }

  private static void counts(JsonNode value, Collection<Long> to) {
    Stream<JsonNode> values = value.isArray() ? value.valueStream() : Stream.of(value);
    values.filter(each -> each.isIntegralNumber() && each.canConvertToLong() && each.longValue() > 0)
        .forEach(each -> to.add(each.longValue()));
  }

  private static OptionalLong first(JsonNode section, List<String> keys) {
    return keys.stream()
        .map(section::path)
        .filter(value -> value.isIntegralNumber() && value.canConvertToLong() && value.longValue() > 0)
        .mapToLong(JsonNode::longValue)
        .findFirst();
  }
}
