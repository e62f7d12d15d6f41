package io.cafeq.engine.family;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * Norms that can take scales of the channels that they write: what reads such a norm is a few
 * matrices and nothing else, so that dividing the norm's weights and multiplying the matrices'
 * columns changes nothing. A norm with a bias, one before a mixture, whose router reads it too, and
 * one before latent attention or another mixer is none of these.
 *
 * @param byReader the norm of each matrix that reads one
 */
public record FoldedNorms(Map<String, Norm> byReader) {
  private static final Set<Role> ATTENTION =
      EnumSet.of(Role.QUERY, Role.KEY, Role.VALUE, Role.QUERY_KEY_VALUE);
  private static final Set<Role> FEED_FORWARD = EnumSet.of(Role.GATE, Role.UP, Role.GATE_UP);

  /** With one of these in a layer, something else reads the norm before attention. */
  private static final Set<Role> OTHER_MIXERS =
      EnumSet.of(Role.QUERY_COMPRESSION, Role.KEY_VALUE_COMPRESSION, Role.MIXER_INPUT, Role.MATRIX);

  /** With one of these, something else reads the norm before the feed-forward part. */
  private static final Set<Role> MIXTURE = EnumSet.of(Role.ROUTER, Role.MATRIX);

  private static final String WEIGHT = ".weight";

  /**
   * @param name of the norm's weights
   * @param storedMinusOne whether files hold w - 1
   * @param readers names of all matrices that read it
   */
  public record Norm(String name, boolean storedMinusOne, Set<String> readers) {
    public Norm {
      readers = Set.copyOf(readers);
    }
  }

  public FoldedNorms {
    byReader = Map.copyOf(byReader);
  }

  /**
   * Those of a model.
   *
   * @param tensors names of the stored tensors
   */
  public static FoldedNorms of(ModelFamily family, Set<String> tensors) {
    Map<String, List<String>> readers = new HashMap<>();
    Map<String, Boolean> minusOne = new HashMap<>();
    Set<Integer> otherMixers = new HashSet<>();
    Set<Integer> mixtures = new HashSet<>();
    for (String name : tensors) {
      ModelFamily.Place place = family.place(name);
      OptionalInt layer = family.layer(name);
      if (layer.isEmpty()) {
        continue;
      }
      if (OTHER_MIXERS.contains(place.role())) {
        otherMixers.add(layer.getAsInt());
      }
      if (MIXTURE.contains(place.role()) || place.experts().isPresent()) {
        mixtures.add(layer.getAsInt());
      }
      StreamNorms norms = family.streamNorms(prefix(name, layer.getAsInt()));
      norm(norms, place.role())
          .ifPresent(
              norm -> {
                readers.computeIfAbsent(norm, first -> new ArrayList<>()).add(name);
                minusOne.put(norm, norms.storedMinusOne());
              });
    }
    Map<String, Norm> byReader = new HashMap<>();
    readers.forEach(
        (norm, names) -> {
          boolean hasBias = tensors.contains(norm.replace(WEIGHT, ".bias"));
          String first = names.getFirst();
          boolean isMixed =
              (ATTENTION.contains(family.place(first).role()) ? otherMixers : mixtures)
                  .contains(family.layer(first).orElseThrow());
          if (tensors.contains(norm) && !hasBias && !isMixed) {
            Norm found = new Norm(norm, minusOne.getOrDefault(norm, false), Set.copyOf(names));
            names.forEach(name -> byReader.put(name, found));
          }
        });
    return new FoldedNorms(byReader);
  }

  /** Empty where attention and feed-forward part read the same norm. */
  private static Optional<String> norm(StreamNorms norms, Role role) {
    if (norms.beforeAttention().equals(norms.beforeFeedForward())) {
      return Optional.empty();
    }
    if (ATTENTION.contains(role)) {
      return norms.beforeAttention();
    }
    return FEED_FORWARD.contains(role) ? norms.beforeFeedForward() : Optional.empty();
  }

  /** The name up to and with the layer's number. */
  private static String prefix(String name, int layer) {
    String number = "." + layer + ".";
    int at = name.indexOf(number);
    return at < 0 ? name : name.substring(0, at + number.length());
  }
}
