package io.cafeq.engine.export.safetensors;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.checkpoint.LayoutKind;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.checkpoint.ShardedWriter;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.TensorSource;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.checkpoint.WeightTensors;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.family.ModelDescription;
import io.cafeq.engine.family.ModelFamily;
import io.cafeq.engine.modelconfig.ModelConfig;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * What an export holds: each tensor of a result in its {@link DenseForm}, without scales of packed
 * weights that keep their bytes in the result, since those are unpacked too.
 */
final class DenseTensors {
  private static final String SINGLE = "model.safetensors";

  /** A tensor of the result. */
  record Held(Manifest.TensorEntry entry, TensorHeader header) {
    private String name() {
      return entry.name();
    }

    /** As if it were the whole of its file: only names, types and shapes are looked at. */
    private TensorInfo info() {
      return new TensorInfo(name(), entry.dtype(), entry.shape(), entry.file(), 0, header.bytes());
    }
  }

  /**
   * A tensor to be written.
   *
   * @param source its name in the result
   * @param file the source's
   * @param layout that of the source
   * @param isRaw whether it is written as the result holds it
   * @param packed what its bytes mean, where the result holds them and they are packed; else null
   * @param part what it is of a matrix that the format packs; else null
   */
  record Outgoing(
      String source,
      String file,
      Entry entry,
      LayoutKind layout,
      boolean isRaw,
      @Nullable WeightTensor packed,
      @Nullable PackedPart part) {}

  private final Map<String, Outgoing> byEntry = new LinkedHashMap<>();
  private final Map<String, String> names = new HashMap<>();

  /**
   * @param layouts which layout the source of a quantized tensor had
   * @param packing of quantized matrices
   * @param config the source's config.json
   * @param bytes reads those that keep their bytes
   */
  DenseTensors(
      List<Held> tensors,
      Function<TensorHeader, LayoutKind> layouts,
      WeightPacking packing,
      JsonNode config,
      TensorSource bytes) {
    WeightTensors raw =
        WeightTensors.of(
            tensors.stream().filter(tensor -> tensor.header().isRaw()).map(Held::info).toList(),
            ModelConfig.of(config),
            bytes);
    Map<String, List<Long>> shapes = new HashMap<>();
    tensors.forEach(tensor -> shapes.put(tensor.name(), tensor.header().shape()));
    shapes.putAll(raw.shapes());
    ModelFamily family = ModelDescription.of(ModelConfig.of(config), shapes).family();
    Map<String, WeightTensor> packed = new HashMap<>();
    for (Held tensor : tensors) {
      if (tensor.header().isRaw()
          && raw.read(tensor.info(), family.place(tensor.name()).transposed())
              instanceof WeightTensors.Reading.Weights(WeightTensor weight)
          && weight.layout().kind().isQuantized()) {
        packed.put(tensor.name(), weight);
      }
    }
    for (Held tensor : tensors) {
      String weights = raw.companions().get(tensor.name());
      if (!tensor.header().isConsumed() && (weights == null || !packed.containsKey(weights))) {
        List<PackedPart> parts =
            tensor.header().isQuantized()
                ? packing.parts(tensor.header())
                : packing.folded(tensor.header()).stream().toList();
        LayoutKind layout = layouts.apply(tensor.header());
        if (parts.isEmpty()) {
          add(outgoing(tensor, packing, layout, packed.get(tensor.name())));
        }
        for (PackedPart part : parts) {
          String file = tensor.entry().file();
          add(new Outgoing(tensor.name(), file, part.entry(), layout, false, null, part));
        }
      }
    }
  }

  private static Outgoing outgoing(
      Held tensor, WeightPacking packing, LayoutKind quantized, @Nullable WeightTensor packed) {
    LayoutKind layout = packed == null ? quantized : packed.layout().kind();
    List<Long> meaning = packed == null ? tensor.header().meaning() : DenseForm.shape(packed);
    return new Outgoing(
        tensor.name(),
        tensor.entry().file(),
        DenseForm.of(layout, packing.name(tensor.name()), tensor.entry().dtype(), meaning),
        layout,
        packed == null && tensor.header().isRaw(),
        packed,
        null);
  }

  private void add(Outgoing tensor) {
    names.putIfAbsent(tensor.source(), tensor.entry().name());
    Outgoing other = byEntry.put(tensor.entry().name(), tensor);
    if (other != null) {
      throw new EngineException(
          FailureKind.RESULT,
          "tensors "
              + other.source()
              + " and "
              + tensor.source()
              + " would both be exported as "
              + tensor.entry().name(),
          "Rename one of them in the source and quantize it again; the result itself is sound.");
    }
  }

  /**
   * Whether the source was quantized, so that what its config.json says of that is not true of the
   * export.
   */
  boolean wereQuantized() {
    return byEntry.values().stream().anyMatch(tensor -> tensor.layout().isQuantized());
  }

  /** The one that is written under that name. */
  Outgoing tensor(String entry) {
    return Objects.requireNonNull(byEntry.get(entry));
  }

  /** Those of the result, with the names that the tensors have in the export. */
  Map<String, String> aliases(Map<String, String> aliases) {
    Map<String, String> renamed = new HashMap<>(aliases);
    renamed.replaceAll((alias, stored) -> names.getOrDefault(stored, stored));
    renamed.entrySet().removeIf(entry -> entry.getKey().equals(entry.getValue()));
    return renamed;
  }

  /** The source's files; a single one gets the name that loaders look for without an index. */
  List<ShardedWriter.Shard> shards() {
    Map<String, List<Entry>> files = new LinkedHashMap<>();
    byEntry
        .values()
        .forEach(
            tensor ->
                files
                    .computeIfAbsent(tensor.file(), file -> new ArrayList<>())
                    .add(tensor.entry()));
    boolean single = files.size() == 1;
    return files.entrySet().stream()
        .map(file -> new ShardedWriter.Shard(single ? SINGLE : file.getKey(), file.getValue()))
        .toList();
  }
}
