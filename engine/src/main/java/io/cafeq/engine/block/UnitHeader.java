package io.cafeq.engine.block;

import io.cafeq.engine.family.Coupling;
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
 * @param couplings pairs among the tensors of which only the products are those of the source
 */
public record UnitHeader(
    String id,
    JobIdentity identity,
    String kernel,
    List<TensorHeader> tensors,
    List<Coupling> couplings) {
  /** Without pairs. */
  public UnitHeader(String id, JobIdentity identity, String kernel, List<TensorHeader> tensors) {
    this(id, identity, kernel, tensors, List.of());
  }

  public UnitHeader {
    tensors = List.copyOf(tensors);
    couplings = List.copyOf(couplings);
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
   * Everything that rows can name, in the order of the file's dictionary: the tensors, then the
   * other keys of transforms and column scales.
   */
  public List<String> names() {
    SequencedSet<String> names = new LinkedHashSet<>();
    tensors.forEach(tensor -> names.add(tensor.name()));
    for (TensorHeader tensor : tensors) {
      for (TensorHeader.Section section : tensor.sections()) {
        TensorHeader.TransformUse transform = section.coding().transform();
        if (transform != null) {
          names.add(transform.key());
        }
        String columnScales = section.coding().columnScales();
        if (columnScales != null) {
          names.add(columnScales);
        }
      }
    }
    return List.copyOf(names);
  }
}
