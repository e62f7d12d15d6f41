package io.cafeq.engine.checkpoint;

import io.cafeq.engine.text.VisibleText;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What tensors are called here and in their files. {@code X.weight_packed} beside {@code
 * X.weight_scale} is called {@code X.weight}, by which families know it; all other names stay.
 *
 * @param tensors under the names that are used here
 * @param renamed those names to the ones in the files, where they differ
 */
record StoredNames(List<TensorInfo> tensors, Map<String, String> renamed) {
  private static final String PACKED = "_packed";
  private static final String SCALE = "_scale";

  static StoredNames of(List<TensorInfo> stored) {
    Set<String> names = new HashSet<>();
    stored.forEach(info -> names.add(info.name()));
    Map<String, String> renamed = new HashMap<>();
    List<TensorInfo> tensors = new ArrayList<>(stored.size());
    for (TensorInfo info : stored) {
      String name = info.name();
      String weight =
          name.endsWith(PACKED) ? name.substring(0, name.length() - PACKED.length()) : name;
      if (!weight.equals(name) && names.contains(weight + SCALE) && !names.contains(weight)) {
        renamed.put(weight, name);
        tensors.add(
            new TensorInfo(
                weight, info.dtype(), info.shape(), info.file(), info.position(), info.bytes()));
      } else {
        tensors.add(info);
      }
    }
    return new StoredNames(List.copyOf(tensors), Map.copyOf(renamed));
  }

  /** For messages. */
  String quoted(String name) {
    String stored = renamed.get(name);
    return VisibleText.quoted(name)
        + (stored == null ? "" : " (stored as " + VisibleText.quoted(stored) + ")");
  }
}
