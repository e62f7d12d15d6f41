package io.cafeq.engine.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.DurableFile;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.checkpoint.ShardedWriter;
import io.cafeq.engine.family.FamilyShapes;
import io.cafeq.engine.model.StoredTensors.Stored;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * The smallest checkpoint of a family with seeded weights. The same name and seed give the same
 * bytes.
 *
 * @param config config.json; to be read only
 * @param weights what the stored numbers mean: already rounded to the checkpoint's types, packed
 *     ones unpacked
 */
public record Miniature(
    String name, ObjectNode config, Weights weights, SortedMap<String, Stored> stored) {
  /**
   * The families whose models have a {@link ForwardPass}; names as in {@link FamilyShapes#NAMES}.
   */
  public static final List<String> NAMES =
      List.of(
          "llama",
          "mistral",
          "qwen2",
          "qwen3",
          "gemma",
          "gemma2",
          "gemma3_text",
          "gemma3",
          "phi3",
          "gpt2",
          "gpt_neox",
          "bert",
          "roberta",
          "distilbert",
          "mixtral",
          "qwen2_moe",
          "qwen3_moe",
          "deepseek_v2",
          "deepseek_v3",
          "deepseek_v3_dense",
          "llama4",
          "gpt_oss",
          "gpt_oss_dense");

  private static final Pattern ATTENTION_OUTPUT =
      Pattern.compile(
          ".*(o_proj|attn\\.c_proj|attention\\.dense|attention\\.output\\.dense|out_lin)\\.(weight|bias)");
  private static final Pattern CONV1D =
      Pattern.compile(".*h\\.\\d+\\.(attn|mlp)\\.c_(attn|proj|fc)\\.weight");

  /** How a checkpoint is spread over files. */
  public enum Spread {
    ONE,
    /** What comes after the attention in a second file, scales of packed tensors in a third. */
    APART
  }

  /** With the types that the family's checkpoints have. */
  public static Miniature of(String family, long seed) {
    return of(FamilyShapes.of(family), seed);
  }

  /** With 32-bit floats in place of 16-bit ones, so that an export of it is exact to 32 bits. */
  public static Miniature inFloat32(String family, long seed) {
    FamilyShapes shapes = FamilyShapes.of(family);
    List<FamilyShapes.Shape> wider =
        shapes.tensors().stream()
            .map(
                shape ->
                    shape.dtype() == Dtype.BF16 || shape.dtype() == Dtype.F16
                        ? new FamilyShapes.Shape(shape.name(), Dtype.F32, shape.dimensions())
                        : shape)
            .toList();
    return of(
        new FamilyShapes(family, shapes.config().replace("bfloat16", "float32"), wider), seed);
  }

  /** Of shapes that need not be those of a file. */
  public static Miniature of(FamilyShapes shapes, long seed) {
    Draws draws =
        new Draws(seed, shapes.configObject().path("model_type").asText().startsWith("gemma"));
    SortedMap<String, Stored> stored = new TreeMap<>();
    Map<String, List<Integer>> sizes = new LinkedHashMap<>();
    shapes
        .tensors()
        .forEach(
            shape ->
                sizes.put(
                    shape.name(), shape.dimensions().stream().map(Math::toIntExact).toList()));
    for (FamilyShapes.Shape shape : shapes.tensors()) {
      String name = shape.name();
      List<Integer> size = Objects.requireNonNull(sizes.get(name));
      String tileScales = name + StoredTensors.TILE_SCALES;
      if (sizes.containsKey(tileScales)) {
        double[] rows = draws.rows(name, size.get(0) * size.get(1), size.get(1));
        put(stored, shapes, name, tileScales, PackedFloats.tiled(rows, size.get(0), size.get(1)));
      } else if (name.endsWith(StoredTensors.BLOCKS)) {
        String scales =
            name.substring(0, name.length() - StoredTensors.BLOCKS.length())
                + StoredTensors.BLOCK_SCALES;
        int in = size.get(2) * 32;
        double[] rows = draws.rows(name, size.get(0) * size.get(1) * in, in);
        put(stored, shapes, name, scales, PackedFloats.microScaled(rows));
      } else if (!isScale(name, sizes)) {
        double[] values = draws.tensor(name, size, isTransposed(name, size));
        stored.put(
            name, new Stored(name, shape.dtype(), size, NumberCodec.encode(shape.dtype(), values)));
      }
    }
    return new Miniature(
        shapes.name(), shapes.configObject(), StoredTensors.decode(stored), stored);
  }

  private static boolean isScale(String name, Map<String, List<Integer>> sizes) {
    return name.endsWith(StoredTensors.TILE_SCALES)
        || (name.endsWith(StoredTensors.BLOCK_SCALES)
            && sizes.containsKey(name.replace(StoredTensors.BLOCK_SCALES, StoredTensors.BLOCKS)));
  }

  private static boolean isTransposed(String name, List<Integer> size) {
    return CONV1D.matcher(name).matches() || (size.size() == 3 && name.endsWith("_proj"));
  }

  private static void put(
      SortedMap<String, Stored> stored,
      FamilyShapes shapes,
      String codes,
      String scales,
      PackedFloats.Packed packed) {
    for (FamilyShapes.Shape shape : shapes.tensors()) {
      if (shape.name().equals(codes) || shape.name().equals(scales)) {
        byte[] bytes = shape.name().equals(codes) ? packed.codes() : packed.scales();
        if (bytes.length != shape.bytes()) {
          throw new IllegalStateException(shape + " is not of the size that its format demands");
        }
        stored.put(
            shape.name(),
            new Stored(
                shape.name(),
                shape.dtype(),
                shape.dimensions().stream().map(Math::toIntExact).toList(),
                bytes));
      }
    }
  }

  public Model model() {
    return Model.of(config, weights);
  }

  /** Writes the checkpoint into a folder that is new or empty. */
  public void write(Path folder, Spread spread) {
    try (Arena arena = Arena.ofConfined()) {
      Files.createDirectories(folder);
      try (ShardedWriter writer = ShardedWriter.create(folder, shards(spread), Map.of())) {
        for (Entry entry : writer.order()) {
          byte[] bytes = Objects.requireNonNull(stored.get(entry.name())).bytes();
          MemorySegment segment = arena.allocate(Math.max(1, bytes.length));
          MemorySegment.copy(MemorySegment.ofArray(bytes), 0, segment, 0, bytes.length);
          writer.append(entry.name(), segment.asSlice(0, bytes.length));
        }
        writer.finish();
      }
      DurableFile.write(
          folder.resolve("config.json"),
          (config.toPrettyString() + "\n").getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private List<ShardedWriter.Shard> shards(Spread spread) {
    List<List<Entry>> groups = List.of(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
    for (Stored tensor : stored.values()) {
      Entry entry =
          new Entry(
              tensor.name(), tensor.dtype(), tensor.shape().stream().map(Long::valueOf).toList());
      groups.get(spread == Spread.ONE ? 0 : group(tensor.name())).add(entry);
    }
    List<List<Entry>> filled = groups.stream().filter(group -> !group.isEmpty()).toList();
    List<ShardedWriter.Shard> shards = new ArrayList<>();
    for (List<Entry> entries : filled) {
      String file =
          filled.size() == 1
              ? "model.safetensors"
              : "model-%05d-of-%05d.safetensors".formatted(shards.size() + 1, filled.size());
      shards.add(new ShardedWriter.Shard(file, entries));
    }
    return shards;
  }

  private static int group(String name) {
    if (name.endsWith(StoredTensors.TILE_SCALES) || name.endsWith(StoredTensors.BLOCK_SCALES)) {
      return 2;
    }
    return ATTENTION_OUTPUT.matcher(name).matches() ? 1 : 0;
  }
}
