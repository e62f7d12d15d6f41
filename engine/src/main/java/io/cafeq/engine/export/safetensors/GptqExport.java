package io.cafeq.engine.export.safetensors;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.config.Target;
import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.export.Answer;
import io.cafeq.engine.export.ExportCheck;
import io.cafeq.engine.export.ExportFormat;
import io.cafeq.engine.export.ExportOption;
import io.cafeq.engine.export.ExportOptions;
import io.cafeq.engine.export.ExportProgress;
import io.cafeq.engine.export.Exported;
import io.cafeq.engine.export.ModelCard;
import io.cafeq.engine.export.NoOptions;
import io.cafeq.engine.export.SideFileCopy;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.text.NamePattern;
import io.cafeq.engine.text.VisibleText;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * GPTQ checkpoints of 4 and 8 bits, symmetric, in the first version of the format: zero points are
 * stored less one. All matrices have the same bits and groups, which that format states once.
 */
public final class GptqExport implements ExportFormat<NoOptions> {
  @Override
  public String id() {
    return Target.GPTQ.text();
  }

  @Override
  public String description() {
    return "a GPTQ checkpoint, symmetric, 4 or 8 bits, for loaders that read nothing newer";
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
    return PackedLimits.check(result, Target.GPTQ)
        .and(modules.scalesFolded())
        .and(modules.withoutEmbeddings())
        .and(modules.refusing(module -> unlike(modules, module)))
        .and(modules.refusing(GptqExport::odd));
  }

  private static Optional<Answer.Refuses> unlike(
      PackedModules modules, PackedModules.Module module) {
    GridSpec first = modules.quantized().getFirst().grid();
    return module.grid().bits() == first.bits() && module.grid().group() == first.group()
        ? Optional.empty()
        : Optional.of(
            new Answer.Refuses(
                "the format states bits and groups once, and tensors have unlike ones",
                "Quantize again with --bits and with a --group that divides all input channels, or"
                    + " --group channel."));
  }

  private static Optional<Answer.Refuses> odd(PackedModules.Module module) {
    int perWord = Integer.SIZE / module.grid().bits();
    boolean fits =
        module.header().columns() % perWord == 0 && module.header().allRows() % perWord == 0;
    return fits
        ? Optional.empty()
        : Optional.of(
            new Answer.Refuses(
                "input or output channels do not fill whole words of 32 bits",
                "Quantize again and leave these tensors as they are, with --exclude."));
  }

  @Override
  public Exported write(
      ResultReader result, Path folder, NoOptions options, StopFlag stop, ExportProgress progress) {
    PackedModules modules = PackedModules.of(result);
    ObjectNode quantization = quantization(modules);
    Exported exported = export(modules).write(result, folder, stop, progress);
    ModelCard.write(result, folder, id(), "transformers");
    SideFileCopy.write(
        folder,
        "quantize_config.json",
        (VisibleText.lines(quantization.toPrettyString()) + "\n").getBytes(StandardCharsets.UTF_8));
    return exported;
  }

  @Override
  public void prove(ResultReader result, Path folder, NoOptions options, StopFlag stop) {
    new ExportProof(export(PackedModules.of(result)), PackedReaders::gptq)
        .check(result, folder, stop);
  }

  private static SafetensorsExport export(PackedModules modules) {
    return new SafetensorsExport(
        TensorHeader::layout,
        packing(modules),
        config -> ConfigAddition.with(config, "quantization_config", quantization(modules)));
  }

  private static WeightPacking packing(PackedModules modules) {
    WeightPacking packing = GptqExport::parts;
    return packing.of(modules);
  }

  private static List<PackedPart> parts(TensorHeader header) {
    GridSpec grid = PackedLimits.grid(header);
    String module = PackedModules.module(header.name());
    return List.of(
        TurnedParts.codes(module + ".qweight", header, grid),
        TurnedParts.zeroPoints(module + ".qzeros", header, grid),
        TurnedParts.scales(module + ".scales", header, grid),
        TurnedParts.groupIndex(module + ".g_idx", header, grid));
  }

  private static ObjectNode quantization(PackedModules modules) {
    GridSpec grid = modules.quantized().getFirst().grid();
    ObjectNode node = JsonNodeFactory.instance.objectNode();
    node.put("quant_method", "gptq");
    node.put("bits", grid.bits());
    node.put("group_size", grid.group() == 0 ? -1 : grid.group());
    node.put("desc_act", false);
    node.put("sym", true);
    node.put("lm_head", modules.quantized().stream().anyMatch(m -> m.name().equals("lm_head")));
    node.put("checkpoint_format", "gptq");
    ObjectNode left = JsonNodeFactory.instance.objectNode();
    modules.left().stream()
        .filter(name -> !name.equals("lm_head"))
        .forEach(name -> left.putObject("-:^" + NamePattern.of(name) + "$"));
    if (!left.isEmpty()) {
      node.set("dynamic", left);
    }
    return node;
  }
}
