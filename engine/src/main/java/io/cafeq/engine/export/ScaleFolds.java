package io.cafeq.engine.export;

import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.family.FoldedNorms;
import io.cafeq.engine.family.ModelDescription;
import io.cafeq.engine.family.ModelFamily;
import io.cafeq.engine.modelconfig.ModelConfig;
import io.cafeq.engine.transform.ColumnScales;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Column scales that become part of the norm before the matrices: codes stand for W diag(s), so the
 * norm's weights g become g / s, rounded to their type. That is the only rounding of an export, at
 * most 2^-9 of an input channel in bf16.
 *
 * @param norms by name
 * @param left tensors with column scales that no norm takes over
 */
public record ScaleFolds(Map<String, Fold> norms, Set<String> left) {

  /** Scales of all that reads a norm. */
  public record Fold(ColumnScales scales, boolean storedMinusOne) {
    /** A weight of the norm as files hold it, once it has taken over its channel's scale. */
    public float folded(float stored, int channel) {
      float inverse = scales.inverse(channel);
      return storedMinusOne ? (1 + stored) * inverse - 1 : stored * inverse;
    }
  }

  public ScaleFolds {
    norms = Map.copyOf(norms);
    left = Set.copyOf(left);
  }

  /** Those of a result. */
  public static ScaleFolds of(ResultReader result) {
    Map<String, TensorHeader> headers = new HashMap<>();
    Map<String, List<Long>> shapes = new HashMap<>();
    for (Manifest.TensorEntry tensor : result.tensors()) {
      TensorHeader header = result.header(tensor.name());
      headers.put(tensor.name(), header);
      shapes.put(tensor.name(), header.isQuantized() ? header.meaning() : header.shape());
    }
    ModelConfig config = ModelConfig.of(result.config());
    return of(result, ModelDescription.of(config, shapes).family(), headers);
  }

  /** The same where family and headers are at hand. */
  public static ScaleFolds of(
      ResultReader result, ModelFamily family, Map<String, TensorHeader> headers) {
    Set<String> left = new HashSet<>();
    headers.forEach(
        (name, header) -> {
          if (key(header) != null) {
            left.add(name);
          }
        });
    Map<String, Fold> folds = new HashMap<>();
    if (!left.isEmpty()) {
      Set<FoldedNorms.Norm> norms =
          Set.copyOf(FoldedNorms.of(family, headers.keySet()).byReader().values());
      for (FoldedNorms.Norm norm : norms) {
        String reader = norm.readers().iterator().next();
        String key = key(Objects.requireNonNull(headers.get(reader)));
        boolean alike =
            key != null
                && norm.readers().stream()
                    .allMatch(each -> key.equals(key(Objects.requireNonNull(headers.get(each)))));
        if (alike) {
          ColumnScales scales = result.columnScales(reader, 0).orElseThrow();
          folds.put(norm.name(), new Fold(scales, norm.storedMinusOne()));
          left.removeAll(norm.readers());
        }
      }
    }
    return new ScaleFolds(folds, left);
  }

  /** Under which key the scales of all rows are stored; null where there are none. */
  private static @Nullable String key(TensorHeader header) {
    return header.sections().stream()
        .map(section -> section.coding().columnScales())
        .filter(Objects::nonNull)
        .findFirst()
        .orElse(null);
  }

  /** Whether a tensor has column scales that no norm takes over. */
  public boolean isLeft(String tensor) {
    return left.contains(tensor);
  }

  /** What a norm takes over; empty for all other tensors. */
  public Optional<Fold> of(String tensor) {
    return Optional.ofNullable(norms.get(tensor));
  }
}
