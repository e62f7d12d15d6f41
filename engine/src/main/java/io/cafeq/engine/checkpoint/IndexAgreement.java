package io.cafeq.engine.checkpoint;

import io.cafeq.engine.modelconfig.ModelConfig;
import io.cafeq.engine.store.CheckpointStore;
import io.cafeq.engine.text.VisibleText;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Settles an index with what its shards hold. Where it can be told which of the two is meant this
 * goes on, as the common loaders do: they read whole shards, and pass over what the model has no
 * use for. What would leave a hole in the model is refused.
 *
 * @param tensors of all shards, without copies that do not count
 * @param warnings what was settled, each a sentence
 */
record IndexAgreement(List<TensorInfo> tensors, List<String> warnings) {
  IndexAgreement {
    tensors = List.copyOf(tensors);
    warnings = List.copyOf(warnings);
  }

  /**
   * @param stored of all shards, in disk order
   * @param metadata of the shards, where a name that stands for a stored tensor has that one's name
   * @throws CheckpointException where something is missing, or two copies could be meant
   */
  static IndexAgreement of(
      ShardIndex index,
      CheckpointStore store,
      List<TensorInfo> stored,
      Map<String, String> metadata,
      ModelConfig config) {
    Map<String, TensorInfo> taken = HashMap.newHashMap(stored.size());
    List<String> copies = new ArrayList<>();
    List<String> unlisted = new ArrayList<>();
    List<String> moved = new ArrayList<>();
    for (TensorInfo tensor : stored) {
      TensorInfo other = taken.putIfAbsent(tensor.name(), tensor);
      if (other != null) {
        copies.add(tensor.name());
        taken.put(tensor.name(), meant(index, store, other, tensor));
      }
    }
    List<TensorInfo> kept =
        stored.stream().filter(tensor -> taken.get(tensor.name()) == tensor).toList();
    for (TensorInfo tensor : kept) {
      String file = index.files().get(tensor.name());
      if (file == null) {
        unlisted.add(tensor.name());
      } else if (!file.equals(tensor.file())) {
        moved.add(tensor.name());
      }
    }
    List<String> missing =
        new TreeMap<>(index.files())
            .keySet().stream()
                .filter(
                    name ->
                        !taken.containsKey(name)
                            && !taken.containsKey(metadata.getOrDefault(name, "")))
                .toList();
    if (!missing.isEmpty()) {
      refuseEmptyShards(index, store, missing);
      PresentNames names = PresentNames.of(taken.keySet(), config.mostLayers(), config.isTied());
      List<String> holes = missing.stream().filter(names::leavesHole).toList();
      if (!holes.isEmpty()) {
        throw hole(index, store, holes);
      }
    }
    List<String> warnings = new ArrayList<>();
    sentence(copies, "stored more than once; the index decides which copy is read")
        .ifPresent(warnings::add);
    sentence(moved, "in another shard than the index says; read from where found")
        .ifPresent(warnings::add);
    sentence(unlisted, "not in the index, but in one of its shards; read as well")
        .ifPresent(warnings::add);
    sentence(missing, "named by the index, but in no shard; left out").ifPresent(warnings::add);
    return new IndexAgreement(kept, warnings);
  }

  private static TensorInfo meant(
      ShardIndex index, CheckpointStore store, TensorInfo one, TensorInfo other) {
    String file = index.files().get(one.name());
    if (one.file().equals(file)) {
      return one;
    }
    if (other.file().equals(file)) {
      return other;
    }
    throw new CheckpointException(
        store.place(other.file())
            + ": tensor "
            + VisibleText.quoted(one.name())
            + " is stored in "
            + one.file()
            + " as well, and the index "
            + index.place()
            + (file == null ? " does not name it" : " names neither"),
        "Write into weight_map of the index which of the two files the tensor is to be read from.");
  }

  /** A file of which nothing is there belongs to another checkpoint, or its download broke off. */
  private static void refuseEmptyShards(
      ShardIndex index, CheckpointStore store, List<String> missing) {
    Map<String, Long> listed =
        index.files().values().stream()
            .collect(Collectors.groupingBy(file -> file, TreeMap::new, Collectors.counting()));
    Map<String, List<String>> lost =
        missing.stream()
            .collect(
                Collectors.groupingBy(
                    name -> String.valueOf(index.files().get(name)),
                    TreeMap::new,
                    Collectors.toList()));
    lost.forEach(
        (file, names) -> {
          if (names.size() == listed.getOrDefault(file, 0L)) {
            throw new CheckpointException(
                store.place(file)
                    + ": holds none of the tensors that the index "
                    + index.place()
                    + " gives it ("
                    + names.size()
                    + ", such as "
                    + VisibleText.quoted(names.getFirst())
                    + ")",
                remedy(file));
          }
        });
  }

  private static CheckpointException hole(
      ShardIndex index, CheckpointStore store, List<String> names) {
    String name = names.getFirst();
    String file = String.valueOf(index.files().get(name));
    return new CheckpointException(
        store.place(file)
            + ": tensor "
            + VisibleText.quoted(name)
            + " is missing; the index "
            + index.place()
            + " says it is there"
            + (names.size() > 1 ? ", and " + (names.size() - 1) + " more are missing" : ""),
        remedy(file));
  }

  private static String remedy(String file) {
    return "Download or copy "
        + VisibleText.shortened(file)
        + " again; if the model is whole without these tensors, remove their names from the index.";
  }

  private static Optional<String> sentence(List<String> names, String what) {
    return names.isEmpty()
        ? Optional.empty()
        : Optional.of(
            "%d %s %s (%s%s)."
                .formatted(
                    names.size(),
                    names.size() == 1 ? "tensor is" : "tensors are",
                    what,
                    names.size() == 1 ? "" : "such as ",
                    VisibleText.quoted(names.getFirst())));
  }

  /**
   * What names say of the place of a tensor that is missing.
   *
   * @param modules beginnings of the stored names that end before one of their first dots
   * @param inLayers what stored names have after the number of a layer, with the part before it
   * @param layers 0 where the number is not known
   */
  private record PresentNames(Set<String> modules, Set<String> inLayers, int layers, boolean tied) {
    private static final String HEAD = "lm_head.weight";
    private static final Set<String> PARAMETERS = Set.of("weight", "bias");

    /**
     * Real names have fewer dots; those of a hostile file could have thousands, each a beginning to
     * hold.
     */
    private static final int MOST_DOTS = 16;

    static PresentNames of(Set<String> names, int layers, boolean tied) {
      Set<String> modules = new HashSet<>();
      Set<String> inLayers = new TreeSet<>();
      for (String name : names) {
        int dot = name.indexOf('.');
        for (int dots = 0; dot > 0 && dots < MOST_DOTS; dots++) {
          modules.add(name.substring(0, dot));
          dot = name.indexOf('.', dot + 1);
        }
        InLayer.of(name).ifPresent(place -> inLayers.add(place.anyLayer()));
      }
      return new PresentNames(modules, inLayers, layers, tied);
    }

    /** Whether the model has a use for the tensor, as far as can be told. */
    boolean leavesHole(String missing) {
      Optional<InLayer> place = InLayer.of(missing);
      if (place.isEmpty()) {
        return isOfModule(parent(parent(missing)))
            && !(tied && (missing.equals(HEAD) || missing.endsWith("." + HEAD)));
      }
      InLayer in = place.get();
      if (!modules.contains(in.stem())) {
        return isOfModule(parent(in.stem()));
      }
      boolean beyond =
          layers > 0 && in.layer() >= layers && !modules.contains(in.stem() + "." + in.layer());
      // Buffers that older libraries stored and none reads, such as frequencies of rotary
      // embeddings.
      boolean buffer = !inLayers.contains(in.anyLayer()) && !PARAMETERS.contains(leaf(in.name()));
      return !beyond && !buffer;
    }

    /**
     * The model itself has no name; a module of which nothing is stored is one that the checkpoint
     * goes without.
     */
    private boolean isOfModule(String module) {
      return module.isEmpty() || modules.contains(module);
    }

    private static String parent(String name) {
      return name.substring(0, Math.max(0, name.lastIndexOf('.')));
    }

    private static String leaf(String name) {
      return name.substring(name.lastIndexOf('.') + 1);
    }
  }

  /**
   * A name with a number in it.
   *
   * @param stem before the first number
   * @param name after it
   */
  private record InLayer(String stem, int layer, String name) {
    private static final Pattern NUMBER = Pattern.compile("[0-9]{1,6}");

    static Optional<InLayer> of(String tensor) {
      int start = 0;
      for (int dot = tensor.indexOf('.'); dot >= 0; dot = tensor.indexOf('.', start)) {
        String part = tensor.substring(start, dot);
        if (start > 0 && NUMBER.matcher(part).matches()) {
          return Optional.of(
              new InLayer(
                  tensor.substring(0, start - 1),
                  Integer.parseInt(part),
                  tensor.substring(dot + 1)));
        }
        start = dot + 1;
      }
      return Optional.empty();
    }

    String anyLayer() {
      return stem + ".#." + name;
    }
  }
}
