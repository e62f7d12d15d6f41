package io.cafeq.engine.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.engine.checkpoint.WeightTensors.Reading;
import io.cafeq.engine.modelconfig.ModelConfig;
import io.cafeq.engine.text.NamePattern;
import io.cafeq.engine.text.VisibleText;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Judges a checkpoint that another program quantized by what its layers hold, not by what
 * config.json says. Weights that can be dequantized are a source like any other; others are
 * refused, since nothing but the original helps.
 */
public final class SourceQuantization {
  private static final int LOW_BITS = 4;
  private static final Pattern CACHE_SCALE = Pattern.compile("(.*\\.)?(k|v|kv)_(cache_)?scale");

  /** Where a transform is part of the model's work, not of its weights. */
  private static final Set<String> WITHIN_WEIGHTS = Set.of("weight_input", "weight_output");

  private final Checkpoint checkpoint;
  private final Predicate<String> inLayers;
  private final ModelConfig config;
  private final Optional<QuantizationOrigin> origin;
  private final Map<String, String> unreadable = new LinkedHashMap<>();
  private final List<WeightTensor> readable = new ArrayList<>();
  private long readableBytes;
  private long unreadableBytes;
  private final ForeignFormats formats;

  private SourceQuantization(
      Checkpoint checkpoint, Predicate<String> inLayers, Predicate<TensorInfo> excluded) {
    this.checkpoint = checkpoint;
    this.inLayers = inLayers;
    this.config = checkpoint.config();
    this.origin = QuantizationOrigin.find(checkpoint.store(), config);
    Map<String, TensorInfo> byName = new HashMap<>();
    checkpoint.tensors().forEach(info -> byName.put(info.name(), info));
    this.formats = new ForeignFormats(byName);
    List<TensorInfo> wanted = checkpoint.tensors().stream().filter(excluded.negate()).toList();
    wanted.forEach(this::visit);
    if (unreadable.isEmpty() && readable.isEmpty()) {
      unnamed(wanted)
          .forEach(
              info ->
                  unreadable.put(
                      info.name(),
                      "has elements of "
                          + info.dtype()
                          + ", which are most of the layers, and a name that no known program gives"
                          + " to weights"));
    }
  }

  /** Integers that are most of the layers, whatever they are called; none where most are floats. */
  private List<TensorInfo> unnamed(List<TensorInfo> wanted) {
    List<TensorInfo> layers =
        wanted.stream()
            .filter(
                info ->
                    inLayers.test(info.name())
                        && !checkpoint.weights().companions().containsKey(info.name()))
            .toList();
    List<TensorInfo> integers = layers.stream().filter(PackedTensors::mayHoldCodes).toList();
    return 2 * bytes(integers) > bytes(layers) ? integers : List.of();
  }

  private static long bytes(List<TensorInfo> tensors) {
    return tensors.stream().mapToLong(TensorInfo::bytes).sum();
  }

  /**
   * Sentences for the user on weights that were quantized before.
   *
   * @param inLayers whether a tensor of that name is one of the model's layers
   * @param excluded tensors that keep their bytes whatever they are
   * @throws CheckpointException if layers hold quantized weights that cannot be dequantized here
   */
  public static List<String> check(
      Checkpoint checkpoint, Predicate<String> inLayers, Predicate<TensorInfo> excluded) {
    SourceQuantization found = new SourceQuantization(checkpoint, inLayers, excluded);
    found.refuse();
    return found.sentences();
  }

  private void visit(TensorInfo info) {
    if (checkpoint.weights().companions().containsKey(info.name())) {
      return;
    }
    switch (checkpoint.weights().read(info, false)) {
      case Reading.Weights(WeightTensor weight) -> {
        if (weight.layout().kind().isQuantized()) {
          readable.add(weight);
          count(info, true);
        } else if (formats.isPacked(info)) {
          unreadable.put(info.name(), "is part of packed weights");
          count(info, false);
        } else {
          count(info, true);
        }
      }
      case Reading.NoWeights(String reason) -> {
        if (formats.isPacked(info)) {
          unreadable.put(info.name(), reason);
          count(info, false);
        }
      }
    }
  }

  private void refuse() {
    List<String> refused = unreadable.keySet().stream().filter(inLayers).toList();
    if (!refused.isEmpty()) {
      String first = refused.getFirst();
      String others = refused.size() == 1 ? "" : " and %d others".formatted(refused.size() - 1);
      throw refused(
          "%s: expected weights that can be dequantized, but tensor %s%s cannot be read: it %s"
              .formatted(method(first), VisibleText.quoted(first), others, unreadable.get(first)),
          rest(refused));
    }
    onlineTransform()
        .ifPresent(
            location -> {
              throw refused(
                  "%s: its transform_config applies transforms while the model runs (at %s), so the weights alone "
                          .formatted(method(""), VisibleText.shortened(location))
                      + "do not make the model",
                  "");
            });
  }

  private String method(String tensor) {
    Optional<String> stated =
        origin.map(
            said -> "by " + said.method() + " (quantization stated in " + said.place() + ")");
    return stated
        .filter(text -> origin.stream().anyMatch(QuantizationOrigin::isNamed))
        .or(
            () ->
                checkpoint
                    .tensor(tensor)
                    .flatMap(formats::method)
                    .map(name -> "by " + name + " (by the tensors' names)"))
        .or(() -> stated)
        .orElse("by another program (by the tensors' types)");
  }

  private void count(TensorInfo info, boolean isReadable) {
    if (inLayers.test(info.name())) {
      readableBytes += isReadable ? info.bytes() : 0;
      unreadableBytes += isReadable ? 0 : info.bytes();
    }
  }

  /** Where most of the layers can be read, that can be quantized beside tensors that stay. */
  private String rest(List<String> refused) {
    return readableBytes > unreadableBytes
        ? " Or leave what cannot be read as it is, with --exclude '"
            + NamePattern.ofKinds(refused)
            + "'."
        : "";
  }

  private CheckpointException refused(String what, String otherwise) {
    String original =
        QuantizationOrigin.baseModel(checkpoint.store(), config.json())
            .map(name -> " (" + VisibleText.shortened(name) + ", by what the files say)")
            .orElse("");
    return new CheckpointException(
        checkpoint.location() + ": quantized already " + what,
        "Take the original checkpoint"
            + original
            + ", as it was before it was quantized."
            + otherwise);
  }

  private Optional<String> onlineTransform() {
    return QuantizationConfig.node(config).stream()
        .flatMap(node -> node.path("transform_config").findValues("location").stream())
        .map(JsonNode::asText)
        .filter(location -> !WITHIN_WEIGHTS.contains(location))
        .findFirst();
  }

  private List<String> sentences() {
    List<String> sentences = new ArrayList<>();
    List<WeightTensor> low = readable.stream().filter(SourceQuantization::isLow).toList();
    if (!low.isEmpty()) {
      sentences.add(
          "The source holds weights of %s bits (%d tensors, such as %s)%s: they are dequantized first; the "
                  .formatted(
                      bits(low),
                      low.size(),
                      VisibleText.shortened(low.getFirst().name()),
                      origin.map(said -> ", quantized by " + said.method()).orElse(""))
              + "original checkpoint would give better results.");
    }
    if (origin.isPresent() && readable.isEmpty() && unreadable.isEmpty()) {
      sentences.add(
          "%s describes weights quantized by %s, but all weights are plain floats and taken as they are."
              .formatted(origin.get().place(), origin.get().method()));
    }
    if (checkpoint.tensors().stream()
        .anyMatch(info -> CACHE_SCALE.matcher(info.name()).matches())) {
      sentences.add(
          "The source has scales for a cache of keys and values. Pairs change the range of values,"
              + " so these scales do not hold for the result.");
    }
    return sentences;
  }

  /** gpt-oss is released in MXFP4: there is no other original. */
  private static boolean isLow(WeightTensor weight) {
    return weight.layout() instanceof WeightLayout.Quantized quantized
        && quantized.codes().bits() <= LOW_BITS
        && quantized.kind() != LayoutKind.MICRO_SCALED;
  }

  private static String bits(List<WeightTensor> weights) {
    return weights.stream()
        .map(weight -> ((WeightLayout.Quantized) weight.layout()).codes().bits())
        .distinct()
        .sorted()
        .map(String::valueOf)
        .collect(Collectors.joining(" and "));
  }
}
