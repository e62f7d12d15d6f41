package io.cafeq.engine.export.safetensors;

import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.export.Answer;
import io.cafeq.engine.export.ExportCheck;
import io.cafeq.engine.export.ScaleFolds;
import io.cafeq.engine.family.ModelDescription;
import io.cafeq.engine.family.ModelFamily;
import io.cafeq.engine.family.Role;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.modelconfig.ModelConfig;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * The linear layers of a result as loaders name them: modules, each with a weight.
 *
 * @param quantized those whose weights are packed, in the result's order
 * @param embedding stored name of a tied embedding to the embedding's own name, where it is stored
 *     as the output head: loaders of tied models look for the embedding
 * @param scales what norms take over
 * @param left names of the linear modules that keep floats; the output head is among them unless it
 *     is quantized, stored or not
 */
record PackedModules(
    List<Module> quantized, List<String> left, Map<String, String> embedding, ScaleFolds scales) {
  private static final String WEIGHT = ".weight";
  private static final String HEAD = "lm_head";

  /**
   * @param name of the module
   * @param header of its weight
   * @param grid of all its rows
   */
  record Module(String name, TensorHeader header, GridSpec grid, ModelFamily.Place place) {
    boolean isEmbedding() {
      return place.role() == Role.EMBEDDING;
    }

    /** What loaders fuse into one layer with others; empty where it stays by itself. */
    Optional<String> fused() {
      return place.experts().or(place::input);
    }
  }

  PackedModules {
    quantized = List.copyOf(quantized);
    left = List.copyOf(left);
    embedding = Map.copyOf(embedding);
  }

  static PackedModules of(ResultReader result) {
    Map<String, List<Long>> shapes = new HashMap<>();
    Map<String, TensorHeader> headers = new HashMap<>();
    for (Manifest.TensorEntry tensor : result.tensors()) {
      TensorHeader header = result.header(tensor.name());
      headers.put(tensor.name(), header);
      shapes.put(tensor.name(), header.isQuantized() ? header.meaning() : header.shape());
    }
    ModelFamily family = ModelDescription.of(ModelConfig.of(result.config()), shapes).family();
    List<Module> quantized = new ArrayList<>();
    List<String> left = new ArrayList<>();
    for (Manifest.TensorEntry tensor : result.tensors()) {
      TensorHeader header = result.header(tensor.name());
      ModelFamily.Place place = family.place(tensor.name());
      if (header.isQuantized()) {
        quantized.add(new Module(module(tensor.name()), header, grid(header), place));
      } else if (header.isRaw()
          && header.shape().size() == 2
          && tensor.name().endsWith(WEIGHT)
          && place.role() != Role.EMBEDDING) {
        left.add(module(tensor.name()));
      }
    }
    if (quantized.stream().noneMatch(module -> module.name().equals(HEAD))
        && !left.contains(HEAD)) {
      left.add(HEAD);
    }
    Map<String, String> embedding = new HashMap<>();
    result.manifest().aliases().entrySet().stream()
        .filter(alias -> family.place(alias.getKey()).role() == Role.EMBEDDING)
        .forEach(alias -> embedding.put(alias.getValue(), alias.getKey()));
    return new PackedModules(quantized, left, embedding, ScaleFolds.of(result, family, headers));
  }

  /** What a tensor is called in the export. */
  String name(String source) {
    return embedding.getOrDefault(source, source);
  }

  private static GridSpec grid(TensorHeader header) {
    return header.sections().getFirst().coding().grid();
  }

  /** The module that a weight belongs to. */
  static String module(String tensor) {
    return tensor.endsWith(WEIGHT)
        ? tensor.substring(0, tensor.length() - WEIGHT.length())
        : tensor;
  }

  /** Refuses scales of input channels that no norm takes over. */
  ExportCheck scalesFolded() {
    return refusing(
        module ->
            scales.isLeft(module.header().name())
                ? Optional.of(
                    new Answer.Refuses(
                        "input channels have scales that no norm before them can take",
                        "Quantize again with --target of this format, or with"
                            + " --no-column-scales."))
                : Optional.empty());
  }

  /** Refuses embeddings, which these formats do not look up in. */
  ExportCheck withoutEmbeddings() {
    return refusing(
        module ->
            module.isEmbedding()
                ? Optional.of(
                    new Answer.Refuses(
                        "the format has no quantized embeddings",
                        "Quantize again without --embeddings."))
                : Optional.empty());
  }

  /** Refuses parts of a layer that loaders fuse and that have unlike grids. */
  ExportCheck fusedAlike() {
    Map<String, GridSpec> first = new HashMap<>();
    quantized.forEach(
        module -> module.fused().ifPresent(fused -> first.putIfAbsent(fused, module.grid())));
    return refusing(
        module ->
            module
                .fused()
                .filter(fused -> !alike(module.grid(), Objects.requireNonNull(first.get(fused))))
                .map(
                    fused ->
                        new Answer.Refuses(
                            "loaders fuse layers that have unlike bits or groups",
                            "Quantize again with --bits and --group in place of --target-bpw, and"
                                + " with overrides that hold for all parts of a fused layer.")));
  }

  private static boolean alike(GridSpec one, GridSpec other) {
    return one.bits() == other.bits()
        && one.group() == other.group()
        && one.storage() == other.storage();
  }

  /** Something that may stand against a module. */
  interface Objection {
    Optional<Answer.Refuses> against(Module module);
  }

  ExportCheck refusing(Objection objection) {
    List<ExportCheck.Verdict> verdicts = new ArrayList<>();
    for (Module module : quantized) {
      objection
          .against(module)
          .ifPresent(
              refusal -> verdicts.add(new ExportCheck.Verdict(module.header().name(), refusal)));
    }
    return new ExportCheck(List.of(), verdicts);
  }
}
