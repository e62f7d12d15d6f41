package io.cafeq.engine.export.safetensors;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
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
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Affine quantization of MLX, w = q s + b, as mlx-lm loads it. Bits and groups may differ by
 * module: the most frequent ones are the model's, others are named.
 */
public final class MlxExport implements ExportFormat<NoOptions> {
  @Override
  public String id() {
    return Target.MLX.text();
  }

  @Override
  public String description() {
    return "a checkpoint for mlx-lm (affine quantization)";
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
    return PackedLimits.check(result, Target.MLX).and(PackedModules.of(result).scalesFolded());
  }

  @Override
  public Exported write(
      ResultReader result, Path folder, NoOptions options, StopFlag stop, ExportProgress progress) {
    PackedModules modules = PackedModules.of(result);
    Exported exported = export(modules).write(result, folder, stop, progress);
    ModelCard.write(result, folder, id(), "mlx");
    return exported;
  }

  @Override
  public void prove(ResultReader result, Path folder, NoOptions options, StopFlag stop) {
    new ExportProof(export(PackedModules.of(result)), PackedReaders::mlx)
        .check(result, folder, stop);
  }

  private static SafetensorsExport export(PackedModules modules) {
    return new SafetensorsExport(
        TensorHeader::layout,
        packing(modules),
        config ->
            ConfigAddition.with(
                ConfigAddition.with(config, "quantization", quantization(modules)),
                "quantization_config",
                quantization(modules)));
  }

  private static WeightPacking packing(PackedModules modules) {
    WeightPacking packing = header -> parts(header, modules.name(header.name()));
    return packing.of(modules);
  }

  private static List<PackedPart> parts(TensorHeader header, String name) {
    GridSpec grid = PackedLimits.grid(header);
    String module = PackedModules.module(name);
    Dtype scales = PackedLimits.scales(header);
    return List.of(
        RowParts.codes(name, Dtype.U32, header, grid),
        RowParts.numbers(module + ".scales", scales, header, grid, RowParts.Number.SCALE),
        RowParts.numbers(module + ".biases", scales, header, grid, RowParts.Number.MINIMUM));
  }

  private record Scheme(int group, int bits) {
    static Scheme of(PackedModules.Module module) {
      return new Scheme(module.grid().group(), module.grid().bits());
    }

    ObjectNode json() {
      return JsonNodeFactory.instance
          .objectNode()
          .put("group_size", group)
          .put("bits", bits)
          .put("mode", "affine");
    }
  }

  private static ObjectNode quantization(PackedModules modules) {
    Scheme usual =
        modules.quantized().stream()
            .collect(Collectors.groupingBy(Scheme::of, Collectors.counting()))
            .entrySet()
            .stream()
            .max(
                Map.Entry.<Scheme, Long>comparingByValue()
                    .thenComparing(entry -> entry.getKey().bits())
                    .thenComparing(entry -> entry.getKey().group()))
            .map(Map.Entry::getKey)
            .orElse(new Scheme(64, 4));
    ObjectNode node = usual.json();
    modules.quantized().stream()
        .filter(module -> !Scheme.of(module).equals(usual))
        .sorted(Comparator.comparing(PackedModules.Module::name))
        .forEach(module -> node.set(module.name(), Scheme.of(module).json()));
    return node;
  }
}
