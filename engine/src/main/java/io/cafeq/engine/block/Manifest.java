package io.cafeq.engine.block;

import io.cafeq.engine.checkpoint.Dtype;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * What a finished result consists of: {@code manifest.json}, written last, so that a folder with
 * one is complete. The same source, recipe and kernel give the same manifest: no times, hosts or
 * paths of the machine.
 *
 * @param recipe canonical text, whose SHA-256 is {@code recipeHash}
 * @param kernels backends and CPU kernels that made the units
 * @param units in the plan's order
 * @param tensors in the source's order, without aliases
 * @param aliases tied tensors: alias name to the name of the stored tensor
 * @param sideFiles files that went along byte for byte
 * @param statistics of the matrices' inputs, in whose metric the units were made; null without any
 */
public record Manifest(
    int algorithmVersion,
    String recipe,
    String recipeHash,
    SortedSet<String> kernels,
    Source source,
    List<UnitEntry> units,
    List<TensorEntry> tensors,
    SortedMap<String, String> aliases,
    List<SideFileEntry> sideFiles,
    @Nullable Statistics statistics,
    Totals totals) {
  /** A result without statistics. */
  public Manifest(
      int algorithmVersion,
      String recipe,
      String recipeHash,
      SortedSet<String> kernels,
      Source source,
      List<UnitEntry> units,
      List<TensorEntry> tensors,
      SortedMap<String, String> aliases,
      List<SideFileEntry> sideFiles,
      Totals totals) {
    this(
        algorithmVersion,
        recipe,
        recipeHash,
        kernels,
        source,
        units,
        tensors,
        aliases,
        sideFiles,
        null,
        totals);
  }

  public Manifest {
    kernels = new TreeSet<>(kernels);
    units = List.copyOf(units);
    tensors = List.copyOf(tensors);
    aliases = new TreeMap<>(aliases);
    sideFiles = List.copyOf(sideFiles);
  }

  /**
   * The checkpoint; the hashes of its tensors are in the units' files.
   *
   * @param name what people call it, not a path
   * @param configSha256 of config.json; empty where there is none
   */
  public record Source(String name, String configSha256, List<ShardEntry> shards) {
    public Source {
      shards = List.copyOf(shards);
    }
  }

  /** A weight file of the source. */
  public record ShardEntry(String file, long bytes) {}

  /**
   * @param file relative to the result's folder, {@code units/ID.arrow}
   * @param sha256 of the file, lower-case hexadecimal
   * @param tensors names of the tensors that it holds
   */
  public record UnitEntry(
      String id, String file, long bytes, String sha256, String kernel, List<String> tensors) {
    public UnitEntry {
      tensors = List.copyOf(tensors);
    }
  }

  /**
   * @param file the source's shard
   * @param unit id of the unit that holds it
   */
  public record TensorEntry(String name, Dtype dtype, List<Long> shape, String file, String unit) {
    public TensorEntry {
      shape = List.copyOf(shape);
    }

    /** Number of elements. */
    public long elements() {
      return shape.stream().reduce(1L, Math::multiplyExact);
    }
  }

  /** {@code path} is relative to the folder, with forward slashes. */
  public record SideFileEntry(String path, long bytes, String sha256) {}

  /**
   * The statistics that were taken.
   *
   * @param asked where the tokens were to come from
   * @param source where they came from
   * @param window tokens that saw one another
   * @param tokensSha256 of the tokens, which {@code statistics/tokens.json} holds
   * @param kernels backends and CPU kernels that took them, which need not be those of the units
   * @param files the folder {@code statistics}; who does not need them any more may delete it
   */
  public record Statistics(
      String asked,
      String source,
      long tokens,
      int window,
      String tokensSha256,
      SortedSet<String> kernels,
      List<SideFileEntry> files) {
    public Statistics {
      kernels = new TreeSet<>(kernels);
      files = List.copyOf(files);
    }
  }

  /**
   * @param weights elements of all tensors
   * @param quantizedWeights of the quantized ones
   * @param quantizedBits everything stored for these: codes, scales, zero points, transforms
   * @param unitBytes of all unit files together
   */
  public record Totals(long weights, long quantizedWeights, long quantizedBits, long unitBytes) {}

  /** The bytes of {@code manifest.json}. */
  public byte[] bytes() {
    return ManifestFile.bytes(this);
  }

  /**
   * Writes {@code manifest.json} so that it is there whole or not at all, even after a power cut.
   */
  public void write(Path folder) {
    ManifestFile.write(folder, this);
  }

  /**
   * Reads and checks the manifest of a result. Kind RESULT where there is none, which means that
   * the result is partial, or where it is damaged, contradicts itself or names files outside the
   * folder.
   */
  public static Manifest read(Path folder) {
    return ManifestFile.read(folder);
  }

  /** Stored tensors by name. */
  public Map<String, TensorEntry> tensorsByName() {
    Map<String, TensorEntry> byName = HashMap.newHashMap(tensors.size());
    tensors.forEach(tensor -> byName.put(tensor.name(), tensor));
    return byName;
  }
}
