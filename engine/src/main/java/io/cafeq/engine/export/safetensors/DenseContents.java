package io.cafeq.engine.export.safetensors;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.LayoutKind;
import io.cafeq.engine.checkpoint.PackedTensors;
import io.cafeq.engine.checkpoint.QuantizationKeys;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.checkpoint.TensorSource;
import io.cafeq.engine.export.LeftBehind;
import io.cafeq.engine.text.VisibleText;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * The tensors of an export without those that only a quantized source has a use for: once its
 * weights are plain, scales of activations, of caches and of weights mean nothing, and loaders trip
 * over them.
 *
 * @param tensors what is written
 * @param staysQuantized whether some tensors stay as another program packed them, so that what
 *     describes them stays too
 * @param leftBehind tensors of the result that are not written
 * @param warnings what programs that load the export should know
 */
record DenseContents(
    DenseTensors tensors,
    boolean staysQuantized,
    List<LeftBehind> leftBehind,
    List<String> warnings) {
  private static final Pattern OF_INPUTS =
      Pattern.compile(
          "(.*_)?(input|activation|act)(_global)?_(scale(_inv|_ub)?|zero_point)|.*quantizer\\._?amax");

  /** Numbers for a whole tensor; with more elements it could be a model's own parameter. */
  private static final Pattern OF_CACHES =
      Pattern.compile(
          "(.*_)?([qkv]|kv|prob|output|[kv]_cache)_(scale(_inv)?|zero_point)|(.*_)?scaling_factor");

  private static final Pattern OF_WEIGHTS =
      Pattern.compile("(.*_)?weight_(scale(_inv|_2|_ub)?|global_scale|zero_point|shape|g_idx)");
  private static final String WENT_INTO_WEIGHTS = "went into the weights";
  private static final String WITHOUT_USE =
      "scales of the source's quantization, without use beside plain weights";

  static DenseContents of(
      List<DenseTensors.Held> held,
      Function<TensorHeader, LayoutKind> layouts,
      WeightPacking packing,
      JsonNode config,
      TensorSource bytes) {
    DenseTensors all = new DenseTensors(held, layouts, packing, config, bytes);
    Map<String, DenseTensors.Outgoing> bySource = outgoing(all);
    List<String> packed =
        bySource.values().stream()
            .filter(tensor -> tensor.isRaw() && PackedTensors.isPacked(tensor.entry()))
            .map(DenseTensors.Outgoing::source)
            .sorted()
            .toList();
    boolean stays = !packed.isEmpty();
    boolean wasQuantized = all.wereQuantized() || QuantizationKeys.isIn(config);
    Set<String> stray =
        stays || !wasQuantized
            ? Set.of()
            : bySource.values().stream()
                .filter(tensor -> isStray(tensor, bySource))
                .map(DenseTensors.Outgoing::source)
                .collect(Collectors.toSet());
    DenseTensors tensors =
        stray.isEmpty()
            ? all
            : new DenseTensors(
                held.stream().filter(one -> !stray.contains(one.entry().name())).toList(),
                layouts,
                packing,
                config,
                bytes);
    List<String> gone =
        held.stream()
            .map(one -> one.entry().name())
            .filter(name -> !bySource.containsKey(name))
            .toList();
    List<LeftBehind> leftBehind = new ArrayList<>(summary(gone, WENT_INTO_WEIGHTS));
    leftBehind.addAll(summary(stray, WITHOUT_USE));
    return new DenseContents(
        tensors, stays, leftBehind, stays && wasQuantized ? List.of(warning(packed)) : List.of());
  }

  private static String warning(List<String> packed) {
    return packed.size()
        + (packed.size() == 1 ? " tensor stays" : " tensors stay")
        + " as another program quantized them ("
        + VisibleText.quoted(packed.getFirst())
        + "), and so does what config.json says of that; only what knows that "
        + "method can load the export.";
  }

  /**
   * Of the aliases, those of tensors that are written, with the names that these have in the
   * export.
   */
  Map<String, String> aliases(Manifest manifest) {
    Set<String> written = entries(tensors).stream().map(Entry::name).collect(Collectors.toSet());
    Map<String, String> aliases = new HashMap<>(tensors.aliases(manifest.aliases()));
    aliases.values().removeIf(stored -> !written.contains(stored));
    return aliases;
  }

  /** All that are written. */
  List<Entry> entries() {
    return entries(tensors);
  }

  private static List<Entry> entries(DenseTensors tensors) {
    return tensors.shards().stream().flatMap(shard -> shard.tensors().stream()).toList();
  }

  private static Map<String, DenseTensors.Outgoing> outgoing(DenseTensors tensors) {
    return entries(tensors).stream()
        .map(entry -> tensors.tensor(entry.name()))
        .collect(
            Collectors.toMap(
                DenseTensors.Outgoing::source, Function.identity(), (first, second) -> first));
  }

  private static boolean isStray(
      DenseTensors.Outgoing tensor, Map<String, DenseTensors.Outgoing> tensors) {
    String name = tensor.source();
    Entry entry = tensor.entry();
    int dot = name.lastIndexOf('.');
    String last = name.substring(dot + 1);
    if (OF_INPUTS.matcher(name.contains("quantizer.") ? name : last).matches()) {
      return true;
    }
    if (OF_CACHES.matcher(last).matches()) {
      return entry.bytes() == entry.dtype().bytes();
    }
    // A scale of weights that are there in another form; one whose weights are not there is left
    // alone.
    DenseTensors.Outgoing weight = tensors.get(name.substring(0, dot + 1) + "weight");
    return OF_WEIGHTS.matcher(last).matches() && weight != null && isFloat(weight.entry().dtype());
  }

  private static boolean isFloat(Dtype dtype) {
    return switch (dtype) {
      case F64, F32, F16, BF16 -> true;
      case F8_E4M3, F8_E5M2, F8_E8M0, I64, I32, I16, I8, U64, U32, U16, U8, BOOL -> false;
    };
  }

  /** Models have thousands: they are counted by the last part of their names. */
  private static List<LeftBehind> summary(Iterable<String> names, String reason) {
    Map<String, Integer> counts = new TreeMap<>();
    names.forEach(name -> counts.merge(name.substring(name.lastIndexOf('.') + 1), 1, Integer::sum));
    return counts.entrySet().stream()
        .map(
            kind ->
                new LeftBehind(
                    kind.getValue()
                        + (kind.getValue() == 1 ? " tensor " : " tensors ")
                        + kind.getKey(),
                    reason))
        .toList();
  }
}
