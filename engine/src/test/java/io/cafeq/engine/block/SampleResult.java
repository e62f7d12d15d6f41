package io.cafeq.engine.block;

import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.checkpoint.ShardedWriter;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.output.SideFileCopier;
import io.cafeq.engine.receipt.ErrorFigures;
import io.cafeq.engine.receipt.UnitFigures;
import io.cafeq.engine.transform.StoredTransform;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * A small checkpoint in two shards and a result that fits it: codes are drawn first, and the source
 * is what they decode to plus noise, so that errors are true without a quantizer.
 */
public final class SampleResult {
  private static final GridSpec GRID = new GridSpec(4, 16, ScaleStorage.SYMMETRIC, 8, true);
  private static final GridSpec WHOLE = new GridSpec(5, 0, ScaleStorage.ZERO_POINT, 8, false);

  /** A tensor to be: null blocks for plain rounding; slabs cut rows. */
  private record Part(
      String name,
      Dtype dtype,
      int rows,
      int columns,
      GridSpec grid,
      String key,
      @Nullable Side side,
      int k,
      int slabRows) {}

  private static final List<Part> PARTS =
      List.of(
          new Part("a.q.weight", Dtype.BF16, 24, 48, GRID, "a.qk", Side.INPUT, 32, 10),
          new Part("a.k.weight", Dtype.BF16, 12, 48, GRID, "a.qk", Side.INPUT, 32, 12),
          new Part("b.down.weight", Dtype.F32, 40, 32, GRID, "b.down.weight", Side.OUTPUT, 16, 32),
          new Part("c.plain.weight", Dtype.F16, 6, 11, WHOLE, "", null, 0, 4));

  public final Path source;
  public final Path result;

  private final Random random = new Random(11);
  private final Map<String, List<StoredTransform>> transforms = new TreeMap<>();
  private final Map<String, List<EncodedSlab>> slabs = new TreeMap<>();

  private SampleResult(Path folder) {
    this.source = folder.resolve("source");
    this.result = folder.resolve("result");
  }

  /** Makes {@code source} and {@code result} in the folder. */
  public static SampleResult make(Path folder) throws IOException {
    SampleResult sample = new SampleResult(folder);
    try (Arena arena = Arena.ofConfined()) {
      sample.makeSource(arena);
      sample.makeResult(arena);
    }
    return sample;
  }

  private void makeSource(Arena arena) throws IOException {
    Files.createDirectories(source.resolve("extra"));
    Files.writeString(source.resolve("config.json"), "{\"model_type\": \"sample\"}");
    Files.writeString(source.resolve("extra/template.txt"), "hello");
    Map<String, MemorySegment> bytes = new TreeMap<>();
    List<Entry> entries = new ArrayList<>();
    for (Part part : PARTS) {
      bytes.put(part.name(), weights(arena, part));
      entries.add(
          new Entry(part.name(), part.dtype(), List.of((long) part.rows(), (long) part.columns())));
    }
    bytes.put("d.norm.weight", UnitFiles.halves(arena, random, 48));
    entries.add(new Entry("d.norm.weight", Dtype.BF16, List.of(48L)));
    bytes.put("e.empty", MemorySegment.NULL);
    entries.add(new Entry("e.empty", Dtype.F32, List.of(0L)));
    List<ShardedWriter.Shard> shards =
        List.of(
            new ShardedWriter.Shard("model-00001-of-00002.safetensors", entries.subList(0, 2)),
            new ShardedWriter.Shard("model-00002-of-00002.safetensors", entries.subList(2, 6)));
    try (ShardedWriter writer =
        ShardedWriter.create(source, shards, Map.of("lm_head.weight", "a.q.weight"))) {
      writer
          .order()
          .forEach(
              entry ->
                  writer.append(
                      entry.name(), bytes.getOrDefault(entry.name(), MemorySegment.NULL)));
      writer.finish();
    }
  }

  private MemorySegment weights(Arena arena, Part part) {
    Side side = part.side();
    List<StoredTransform> blocks =
        side == null
            ? List.of()
            : transforms.computeIfAbsent(
                part.key(),
                key ->
                    UnitFiles.transforms(
                        random,
                        side,
                        side == Side.INPUT ? part.columns() : part.rows(),
                        part.k(),
                        StoredTransform.Format.INT8));
    int size = part.dtype().bytes();
    MemorySegment bytes = arena.allocate((long) part.rows() * part.columns() * size, 8);
    for (int row = 0; row < part.rows(); row += part.slabRows()) {
      int rows = Math.min(part.slabRows(), part.rows() - row);
      EncodedSlab slab = UnitFiles.slab(arena, random, part.grid(), rows, part.columns());
      slabs.computeIfAbsent(part.name(), name -> new ArrayList<>()).add(slab);
      FloatMatrix decoded = FloatMatrix.allocate(arena, rows, part.columns());
      new SlabDecoder()
          .decode(slab, 0, blocks.isEmpty() ? null : SlabDecoder.Blocks.of(blocks), row, decoded);
      for (int i = 0; i < rows * part.columns(); i++) {
        float value =
            decoded.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i)
                + (float) random.nextGaussian() * 0.01f;
        long at = (long) row * part.columns() + i;
        switch (part.dtype()) {
          case BF16 ->
              bytes.setAtIndex(
                  ValueLayout.JAVA_SHORT, at, (short) (Float.floatToIntBits(value) >>> 16));
          case F16 -> bytes.setAtIndex(ValueLayout.JAVA_SHORT, at, Float.floatToFloat16(value));
          default -> bytes.setAtIndex(ValueLayout.JAVA_FLOAT, at, value);
        }
      }
    }
    return bytes;
  }

  private void makeResult(Arena arena) throws IOException {
    Files.createDirectories(result.resolve("units"));
    Files.createDirectories(result.resolve("extra"));
    Files.copy(source.resolve("config.json"), result.resolve("config.json"));
    Files.copy(source.resolve("extra/template.txt"), result.resolve("extra/template.txt"));
    List<Manifest.UnitEntry> units = new ArrayList<>();
    List<Manifest.TensorEntry> tensors = new ArrayList<>();
    try (Checkpoint checkpoint = Checkpoint.open(source)) {
      units.add(unit(arena, checkpoint, "a.qk", PARTS.subList(0, 2)));
      units.add(unit(arena, checkpoint, "b.down", PARTS.subList(2, 3)));
      units.add(unit(arena, checkpoint, "c.plain", PARTS.subList(3, 4)));
      units.add(copied(arena, checkpoint));
      for (TensorInfo info : checkpoint.tensors()) {
        String unit =
            units.stream()
                .filter(u -> u.tensors().contains(info.name()))
                .findFirst()
                .orElseThrow()
                .id();
        tensors.add(
            new Manifest.TensorEntry(info.name(), info.dtype(), info.shape(), info.file(), unit));
      }
      long weights = tensors.stream().mapToLong(Manifest.TensorEntry::elements).sum();
      new Manifest(
              1,
              "{}",
              UnitFiles.IDENTITY.recipeHash(),
              new TreeSet<>(List.of("scalar/java")),
              new Manifest.Source(
                  "sample",
                  Digests.file(source.resolve("config.json"), new StopFlag()),
                  checkpoint.shards().entrySet().stream()
                      .map(shard -> new Manifest.ShardEntry(shard.getKey(), shard.getValue()))
                      .toList()),
              units,
              tensors,
              checkpoint.aliases(),
              List.of(side("config.json"), side("extra/template.txt")),
              new Manifest.Totals(
                  weights,
                  weights - 48,
                  1000,
                  units.stream().mapToLong(Manifest.UnitEntry::bytes).sum()))
          .write(result);
    }
  }

  private Manifest.SideFileEntry side(String path) throws IOException {
    return new Manifest.SideFileEntry(
        path, Files.size(result.resolve(path)), Digests.file(result.resolve(path), new StopFlag()));
  }

  private Manifest.UnitEntry unit(Arena arena, Checkpoint checkpoint, String id, List<Part> parts)
      throws IOException {
    List<TensorHeader> headers =
        parts.stream()
            .map(
                part ->
                    TensorHeader.quantized(
                        checkpoint.tensor(part.name()).orElseThrow(),
                        part.grid(),
                        part.side() == null
                            ? null
                            : new TensorHeader.TransformUse(part.key(), part.side())))
            .toList();
    SortedMap<String, String> hashes = new TreeMap<>();
    double error = 0;
    double norm = 0;
    long weights = 0;
    Path file = result.resolve("units/" + id + ".arrow");
    try (UnitFileWriter writer =
        UnitFileWriter.open(file, new UnitHeader(id, UnitFiles.IDENTITY, "scalar/java", headers))) {
      transforms
          .getOrDefault(parts.getFirst().key(), List.of())
          .forEach(block -> writer.writeTransform(parts.getFirst().key(), block));
      for (Part part : parts) {
        TensorInfo info = checkpoint.tensor(part.name()).orElseThrow();
        hashes.put(part.name(), hash(arena, checkpoint, info));
        int row = 0;
        for (EncodedSlab slab : slabs.getOrDefault(part.name(), List.of())) {
          EncodedSlab measured = measured(arena, checkpoint, part, info, row, slab);
          writer.writeSlab(part.name(), -1, row, measured);
          error += measured.squaredError();
          norm += measured.squaredNorm();
          weights += (long) slab.rows() * slab.columns();
          row += slab.rows();
        }
      }
      writer.finish(
          hashes,
          new UnitFigures(
              weights, norm, new ErrorFigures(error, 1), null, null, null, false, "sample"));
    }
    return entry(id, file, parts.stream().map(Part::name).toList());
  }

  private EncodedSlab measured(
      Arena arena, Checkpoint checkpoint, Part part, TensorInfo info, int row, EncodedSlab slab) {
    FloatMatrix original = FloatMatrix.allocate(arena, slab.rows(), slab.columns());
    FloatMatrix decoded = FloatMatrix.allocate(arena, slab.rows(), slab.columns());
    checkpoint.readFloats(info, row, 0, original);
    List<StoredTransform> blocks = transforms.getOrDefault(part.key(), List.of());
    new SlabDecoder()
        .decode(slab, 0, blocks.isEmpty() ? null : SlabDecoder.Blocks.of(blocks), row, decoded);
    double error = 0;
    double norm = 0;
    for (int i = 0; i < slab.rows() * slab.columns(); i++) {
      double value = original.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i);
      double difference = decoded.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i) - value;
      error += difference * difference;
      norm += value * value;
    }
    return new EncodedSlab(
        slab.grid(),
        slab.rows(),
        slab.columns(),
        slab.codes(),
        slab.rowScales(),
        slab.scales(),
        slab.zeros(),
        error,
        norm);
  }

  private Manifest.UnitEntry copied(Arena arena, Checkpoint checkpoint) throws IOException {
    Path file = result.resolve("units/copied.arrow");
    TensorInfo norm = checkpoint.tensor("d.norm.weight").orElseThrow();
    TensorInfo empty = checkpoint.tensor("e.empty").orElseThrow();
    SortedMap<String, String> hashes = new TreeMap<>();
    hashes.put(norm.name(), hash(arena, checkpoint, norm));
    hashes.put(empty.name(), hash(arena, checkpoint, empty));
    UnitHeader header =
        new UnitHeader(
            "copied",
            UnitFiles.IDENTITY,
            "scalar/java",
            List.of(TensorHeader.copied(norm), TensorHeader.copied(empty)));
    try (UnitFileWriter writer = UnitFileWriter.open(file, header)) {
      MemorySegment bytes = arena.allocate(norm.bytes());
      checkpoint.read(norm, 0, bytes);
      writer.writeRaw(norm.name(), 0, bytes);
      writer.finish(hashes, null);
    }
    return entry("copied", file, List.of(norm.name(), empty.name()));
  }

  /**
   * A result that holds every tensor of a checkpoint as it is, each in a unit of its own, and its
   * side files.
   */
  public static Path copy(Path source, Path result) throws IOException {
    Files.createDirectories(result.resolve("units"));
    String config = Digests.file(source.resolve("config.json"), new StopFlag());
    List<Manifest.UnitEntry> units = new ArrayList<>();
    List<Manifest.TensorEntry> tensors = new ArrayList<>();
    try (Checkpoint checkpoint = Checkpoint.open(source);
        Arena arena = Arena.ofConfined()) {
      for (TensorInfo info : checkpoint.tensors()) {
        Path file = result.resolve("units/" + info.name() + ".arrow");
        UnitHeader header =
            new UnitHeader(
                info.name(), UnitFiles.IDENTITY, "scalar/java", List.of(TensorHeader.copied(info)));
        try (UnitFileWriter writer = UnitFileWriter.open(file, header)) {
          MemorySegment bytes = arena.allocate(info.bytes());
          checkpoint.read(info, 0, bytes);
          writer.writeRaw(info.name(), 0, bytes);
          writer.finish(new TreeMap<>(Map.of(info.name(), hash(arena, checkpoint, info))), null);
        }
        units.add(entry(info.name(), file, List.of(info.name())));
        tensors.add(
            new Manifest.TensorEntry(
                info.name(), info.dtype(), info.shape(), info.file(), info.name()));
      }
      new Manifest(
              1,
              "{}",
              UnitFiles.IDENTITY.recipeHash(),
              new TreeSet<>(List.of("scalar/java")),
              new Manifest.Source(
                  "sample",
                  config,
                  checkpoint.shards().entrySet().stream()
                      .map(shard -> new Manifest.ShardEntry(shard.getKey(), shard.getValue()))
                      .toList()),
              units,
              tensors,
              checkpoint.aliases(),
              new SideFileCopier(checkpoint.store(), checkpoint.sideFiles())
                  .copyTo(result, new StopFlag()).stream()
                      .map(
                          file ->
                              new Manifest.SideFileEntry(file.name(), file.bytes(), file.sha256()))
                      .toList(),
              new Manifest.Totals(
                  tensors.stream().mapToLong(Manifest.TensorEntry::elements).sum(),
                  0,
                  0,
                  units.stream().mapToLong(Manifest.UnitEntry::bytes).sum()))
          .write(result);
    }
    return result;
  }

  private static String hash(Arena arena, Checkpoint checkpoint, TensorInfo info) {
    return SourceTensor.find(checkpoint, TensorHeader.copied(info), new Damage(Path.of("x")), arena)
        .sha256(new StopFlag());
  }

  private static Manifest.UnitEntry entry(String id, Path file, List<String> tensors)
      throws IOException {
    return new Manifest.UnitEntry(
        id,
        "units/" + id + ".arrow",
        Files.size(file),
        Digests.file(file, new StopFlag()),
        "scalar/java",
        tensors);
  }
}
