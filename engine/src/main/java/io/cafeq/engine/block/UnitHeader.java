package io.cafeq.engine.block;

import io.cafeq.engine.receipt.JobIdentity;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.SequencedSet;

/**
 * What a unit's file says before its rows.
 *
 * @param id the unit's
 * @param identity the job's
 * @param kernel the backend and CPU kernel that make it, such as {@code nd4j/SkylakeX}
 * @param tensors in the unit's order
 */
public record UnitHeader(String id, JobIdentity identity, String kernel, List<TensorHeader> tensors) {
  public UnitHeader {
    tensors = List.copyOf(tensors);
    if (tensors.stream().map(TensorHeader::name).distinct().count() != tensors.size()) {
      throw new IllegalArgumentException("unit " + id + " names a tensor twice");
    }
  }

  /** The tensor of that name, which must be one of this unit. */
  public TensorHeader tensor(String name) {
    return tensors.stream()
        .filter(tensor -> tensor.name().equals(name))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("unit " + id + " has no tensor " + name));
  }

  /**
   * Everything that rows can name, in the order of the file's dictionary: the tensors, then the transforms' other keys.
   */
  public List<String> names() {
    SequencedSet<String> names = new LinkedHashSet<>();
    tensors.forEach(tensor -> names.add(tensor.name()));
    for (TensorHeader tensor : tensors) {
      TensorHeader.Coding coding = tensor.coding();
      if (coding != null && coding.transform() != null) {
        names.add(coding.transform().key());
      }
    }
    return List.copyOf(names);
  }
}
