package io.cafeq.engine.export.safetensors;

import io.cafeq.config.ScaleStorage;
import io.cafeq.engine.grid.GridSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * Which kernels run a compressed-tensors checkpoint, as far as that is limited (vLLM 0.33, SGLang
 * 0.5.23).
 */
final class Kernels {
  private static final int MARLIN_INPUTS = 128;
  private static final int MARLIN_OUTPUTS = 64;

  private Kernels() {}

  /** Sentences for people; none where every kernel takes all layers. */
  static List<String> notes(PackedModules modules) {
    List<String> notes = new ArrayList<>();
    first(modules, module -> module.grid().bits() != 4 && module.grid().bits() != 8)
        .ifPresent(
            module ->
                notes.add(
                    "%s has codes of %d bits: vLLM runs them on GPUs from compute capability 7.5 on, by its Humming kernels; SGLang takes 4 and 8 bits only."
                        .formatted(module.name(), module.grid().bits())));
    first(modules, module -> module.grid().storage() == ScaleStorage.F16)
        .ifPresent(
            module ->
                notes.add(
                    module.name()
                        + " has zero points: transformers does not load them, vLLM does."));
    first(modules, Kernels::isOdd)
        .ifPresent(
            module ->
                notes.add(
                    "%s has %d input and %d output channels: vLLM's Marlin kernels want multiples of %d and %d and pad such layers."
                        .formatted(
                            module.name(),
                            module.header().columns(),
                            module.header().allRows(),
                            MARLIN_INPUTS,
                            MARLIN_OUTPUTS)));
    return notes;
  }

  private static boolean isOdd(PackedModules.Module module) {
    GridSpec grid = module.grid();
    return (grid.bits() == 4 || grid.bits() == 8)
        && (module.header().columns() % MARLIN_INPUTS != 0
            || module.header().allRows() % MARLIN_OUTPUTS != 0);
  }

  private static Optional<PackedModules.Module> first(
      PackedModules modules, Predicate<PackedModules.Module> which) {
    return modules.quantized().stream().filter(which).findFirst();
  }
}
