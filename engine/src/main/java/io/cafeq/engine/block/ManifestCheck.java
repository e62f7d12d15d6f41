package io.cafeq.engine.block;

import io.cafeq.engine.result.ResultLayout;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What must hold inside a manifest before its paths and names are used. */
final class ManifestCheck {
  private ManifestCheck() {}

  static void check(Damage damage, Manifest manifest) {
    Map<String, String> unitOf = units(damage, manifest.units());
    Set<String> names = new HashSet<>();
    long weights = 0;
    for (Manifest.TensorEntry tensor : manifest.tensors()) {
      if (!names.add(tensor.name())) {
        throw damage.of("tensor " + tensor.name() + " appears twice");
      }
      if (!tensor.unit().equals(unitOf.get(tensor.name()))) {
        throw damage.of(
            "tensor "
                + tensor.name()
                + " says unit "
                + tensor.unit()
                + ", the units say "
                + unitOf.getOrDefault(tensor.name(), "nothing"));
      }
      if (!isPlainFileName(tensor.file())) {
        throw damage.of(
            "tensor " + tensor.name() + " names the source file \"" + tensor.file() + "\"");
      }
      weights = Math.addExact(weights, tensor.elements());
    }
    for (Map.Entry<String, String> entry : unitOf.entrySet()) {
      if (!names.contains(entry.getKey())) {
        throw damage.of(
            "unit "
                + entry.getValue()
                + " has the tensor "
                + entry.getKey()
                + ", the list of tensors has not");
      }
    }
    manifest
        .aliases()
        .forEach(
            (alias, stored) -> {
              if (names.contains(alias) || !names.contains(stored)) {
                throw damage.of("alias " + alias + " of " + stored + " does not fit the tensors");
              }
            });
    Set<String> paths = new HashSet<>();
    for (Manifest.SideFileEntry file : manifest.sideFiles()) {
      if (!staysInside(file.path()) || !paths.add(file.path())) {
        throw damage.of(
            "side file \"" + file.path() + "\" is no path inside the folder, or appears twice");
      }
    }
    Manifest.Statistics statistics = manifest.statistics();
    if (statistics != null) {
      for (Manifest.SideFileEntry file : statistics.files()) {
        boolean inFolder =
            ResultLayout.inStatistics(file.path())
                .filter(ManifestCheck::isPlainFileName)
                .isPresent();
        if (!inFolder || !paths.add(file.path())) {
          throw damage.of("file \"" + file.path() + "\" is none of statistics, or appears twice");
        }
      }
    }
    if (weights != manifest.totals().weights()) {
      throw damage.of(
          "its totals have " + manifest.totals().weights() + " weights, its tensors " + weights);
    }
  }

  private static Map<String, String> units(Damage damage, List<Manifest.UnitEntry> units) {
    Map<String, String> unitOf = new HashMap<>();
    Set<String> ids = new HashSet<>();
    for (Manifest.UnitEntry unit : units) {
      if (!isPlainFileName(unit.id()) || !unit.file().equals(ResultLayout.unitName(unit.id()))) {
        throw damage.of(
            "unit \""
                + unit.id()
                + "\" lies in \""
                + unit.file()
                + "\", expected "
                + ResultLayout.unitName("ID"));
      }
      if (!ids.add(unit.id())) {
        throw damage.of("unit " + unit.id() + " appears twice");
      }
      for (String tensor : unit.tensors()) {
        if (unitOf.put(tensor, unit.id()) != null) {
          throw damage.of("tensor " + tensor + " is in two units");
        }
      }
    }
    return unitOf;
  }

  private static boolean isPlainFileName(String name) {
    return staysInside(name) && !name.contains("/");
  }

  /** Relative, with forward slashes, and without steps up. */
  private static boolean staysInside(String path) {
    if (path.contains("\\") || path.contains("\0")) {
      return false;
    }
    for (String part : path.split("/", -1)) {
      if (part.isEmpty() || part.equals(".") || part.equals("..")) {
        return false;
      }
    }
    return true;
  }
}
