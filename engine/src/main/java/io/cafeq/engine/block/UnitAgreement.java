package io.cafeq.engine.block;

import java.util.List;
import java.util.Map;
import java.util.Objects;

/** Whether a unit's file is the one that the manifest speaks of. */
final class UnitAgreement {
  private UnitAgreement() {}

  static void check(
      Manifest manifest,
      Map<String, Manifest.TensorEntry> tensors,
      Manifest.UnitEntry entry,
      UnitFileReader reader) {
    Damage damage = new Damage(reader.file());
    UnitHeader header = reader.header();
    if (!header.id().equals(entry.id())) {
      throw damage.of("holds unit " + header.id() + ", the manifest says " + entry.id());
    }
    if (!header.identity().recipeHash().equals(manifest.recipeHash())
        || header.identity().algorithmVersion() != manifest.algorithmVersion()) {
      throw damage.of("was made by another recipe or algorithm version than the manifest says");
    }
    List<String> names = header.tensors().stream().map(TensorHeader::name).toList();
    if (!names.equals(entry.tensors())) {
      throw damage.of("has the tensors " + names + ", the manifest says " + entry.tensors());
    }
    for (TensorHeader tensor : header.tensors()) {
      Manifest.TensorEntry expected = Objects.requireNonNull(tensors.get(tensor.name()));
      if (tensor.dtype() != expected.dtype() || !tensor.shape().equals(expected.shape())) {
        throw damage.of(
            "tensor "
                + tensor.name()
                + " is "
                + tensor.dtype()
                + " "
                + tensor.shape()
                + ", the manifest says "
                + expected.dtype()
                + " "
                + expected.shape());
      }
    }
  }
}
