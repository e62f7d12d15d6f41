package io.cafeq.engine.export.safetensors;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Target;
import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.export.ExportCheck;
import io.cafeq.engine.export.ExportFormat;
import io.cafeq.engine.export.ExportOption;
import io.cafeq.engine.export.ExportOptions;
import io.cafeq.engine.export.ExportProgress;
import io.cafeq.engine.export.Exported;
import io.cafeq.engine.export.ModelCard;
import io.cafeq.engine.export.NoOptions;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.grid.GridSpec;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * {@code compressed-tensors}, format {@code pack-quantized}, as its versions from 0.11 on read it:
 * codes of 3, 5, 6 and 7 bits cross the boundaries of words. Signed grids are its symmetric ones,
 * f16 its asymmetric ones, which transformers does not load and vLLM does.
 */
public final class CompressedTensorsExport implements ExportFormat<NoOptions> {
  @Override
  public String id() {
    return Target.COMPRESSED_TENSORS.text();
  }

  @Override
  public String description() {
    return "a checkpoint for vLLM, transformers and SGLang (compressed-tensors, pack-quantized)";
  }

  @Override
  public List<ExportOption> options() {
    return List.of();
  }

  @Override
  public NoOptions read(ExportOptions given) {
    return new NoOptions();
  }

  @Override
  public ExportCheck check(ResultReader result, NoOptions options) {
    PackedModules modules = PackedModules.of(result);
    return PackedLimits.check(result, Target.COMPRESSED_TENSORS)
        .and(modules.scalesFolded())
        .and(modules.withoutEmbeddings())
        .and(modules.fusedAlike());
  }

  @Override
  public Exported write(
      ResultReader result, Path folder, NoOptions options, StopFlag stop, ExportProgress progress) {
    PackedModules modules = PackedModules.of(result);
    Exported exported = export(modules).write(result, folder, stop, progress);
    ModelCard.write(result, folder, id(), "transformers");
    return exported.with(Kernels.notes(modules));
  }

  @Override
  public void prove(ResultReader result, Path folder, NoOptions options, StopFlag stop) {
    new ExportProof(export(PackedModules.of(result)), PackedReaders::compressedTensors)
        .check(result, folder, stop);
  }

  private static SafetensorsExport export(PackedModules modules) {
    return new SafetensorsExport(
        TensorHeader::layout,
        packing(modules),
        config -> ConfigAddition.with(config, "quantization_config", quantization(modules)));
  }

  private static WeightPacking packing(PackedModules modules) {
    WeightPacking packing = CompressedTensorsExport::parts;
    return packing.of(modules);
  }

  private static List<PackedPart> parts(TensorHeader header) {
    GridSpec grid = PackedLimits.grid(header);
    String name = header.name();
    List<PackedPart> parts = new ArrayList<>();
    parts.add(RowParts.codes(name + "_packed", Dtype.I32, header, grid));
    parts.add(
        RowParts.numbers(
            name + "_scale", PackedLimits.scales(header), header, grid, RowParts.Number.SCALE));
    parts.add(RowParts.shape(name + "_shape", header));
    if (grid.storage() == ScaleStorage.F16) {
      parts.add(RowParts.zeroPoints(name + "_zero_point", header, grid));
    }
    return parts;
  }

  private record Scheme(int bits, int group, boolean symmetric) {}

  private static ObjectNode quantization(PackedModules modules) {
    Map<Scheme, List<String>> schemes = new LinkedHashMap<>();
    for (PackedModules.Module module : modules.quantized()) {
      GridSpec grid = module.grid();
      Scheme scheme = new Scheme(grid.bits(), grid.group(), grid.storage() == ScaleStorage.SIGNED);
      schemes.computeIfAbsent(scheme, first -> new ArrayList<>()).add(module.name());
    }
    ObjectNode node = JsonNodeFactory.instance.objectNode();
    node.put("quant_method", "compressed-tensors");
    node.put("format", "pack-quantized");
    node.put("quantization_status", "compressed");
    node.putNull("global_compression_ratio");
    node.putNull("kv_cache_scheme");
    node.putObject("sparsity_config");
    node.putObject("transform_config");
    ArrayNode ignore = node.putArray("ignore");
    modules.left().forEach(ignore::add);
    ObjectNode groups = node.putObject("config_groups");
    schemes.forEach(
        (scheme, names) -> {
          ObjectNode group = groups.putObject("group_" + groups.size());
          ArrayNode targets = group.putArray("targets");
          // a class of modules would claim those of the other groups as well
          (schemes.size() == 1 ? List.of("Linear") : names).forEach(targets::add);
          group.putNull("input_activations");
          group.putNull("output_activations");
          group.put("format", "pack-quantized");
          group.set("weights", weights(scheme));
        });
    return node;
  }

  private static ObjectNode weights(Scheme scheme) {
    ObjectNode weights = JsonNodeFactory.instance.objectNode();
    weights.put("num_bits", scheme.bits());
    weights.put("type", "int");
    weights.put("symmetric", scheme.symmetric());
    weights.put("strategy", scheme.group() == 0 ? "channel" : "group");
    if (scheme.group() == 0) {
      weights.putNull("group_size");
    } else {
      weights.put("group_size", scheme.group());
    }
    weights.putNull("block_structure");
    weights.put("dynamic", false);
    weights.putNull("actorder");
    weights.putNull("scale_dtype");
    if (scheme.symmetric()) {
      weights.putNull("zp_dtype");
    } else {
      weights.put("zp_dtype", "torch.int8");
    }
    weights.put("observer", "minmax");
    weights.putObject("observer_kwargs");
    return weights;
  }
}
