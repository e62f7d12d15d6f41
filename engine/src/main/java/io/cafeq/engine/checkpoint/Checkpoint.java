package io.cafeq.engine.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Function;

/**
 * A checkpoint folder (or a single safetensors file) whose headers are all known to be sound.
 * Thread-safe; the files stay open until it is closed. Closing it while others read makes their
 * reads fail.
 *
 * <p>Found are, in this order: the index {@code model.safetensors.index.json} with its shards where
 * it names model.safetensors or that does not exist; {@code model.safetensors}; the only
 * .safetensors file of the folder. Where an index and its shards do not agree, {@link #warnings}
 * says what was made of that.
 */
public final class Checkpoint implements TensorSource, AutoCloseable {
  private final CheckpointFiles files;
  private final SideFiles sideFiles;
  private final JsonNode config;
  private final Map<String, ShardFile> shards;
  private final List<TensorInfo> tensors;
  private final StoredNames names;
  private final Map<String, TensorInfo> byName;
  private final WeightTensors weights;
  private final SortedMap<String, String> metadata;
  private final SortedMap<String, String> aliases;
  private final List<String> warnings;
  private final LongAdder bytesRead = new LongAdder();
  private final Map<Class<?>, Object> derived = new ConcurrentHashMap<>();

  private Checkpoint(
      CheckpointFiles files,
      JsonNode config,
      Map<String, ShardFile> shards,
      List<SafetensorsHeader> headers) {
    this.files = files;
    this.config = config;
    this.shards = shards;
    SortedMap<String, String> merged = new TreeMap<>();
    headers.forEach(header -> header.metadata().forEach(merged::putIfAbsent));
    this.metadata = Collections.unmodifiableSortedMap(merged);
    List<TensorInfo> stored =
        headers.stream().flatMap(header -> header.tensors().stream()).toList();
    List<String> found = new ArrayList<>();
    if (!Files.exists(files.folder().resolve(ModelConfig.FILE))) {
      found.add(
          files.folder()
              + " has no config.json, so names and shapes alone tell what the tensors are.");
    }
    if (files.index() != null) {
      IndexAgreement settled =
          IndexAgreement.of(files.index(), files.folder(), stored, merged, config);
      stored = settled.tensors();
      found.addAll(settled.warnings());
    }
    this.warnings = List.copyOf(found);
    this.names = StoredNames.of(stored);
    this.tensors = names.tensors();
    this.byName = HashMap.newHashMap(tensors.size());
    tensors.forEach(tensor -> byName.put(tensor.name(), tensor));
    this.weights = WeightTensors.of(tensors, config, this);
    this.sideFiles = SideFiles.find(files, PackedTensors.stay(tensors, weights));
    SortedMap<String, String> tied = new TreeMap<>(merged);
    tied.entrySet()
        .removeIf(
            entry -> byName.containsKey(entry.getKey()) || !byName.containsKey(entry.getValue()));
    this.aliases = Collections.unmodifiableSortedMap(tied);
  }

  /**
   * Checks the index, every header and every length; reads no tensor data. Throws {@link
   * CheckpointException} where the checkpoint is at fault, and an {@link
   * io.cafeq.engine.failure.EngineException} of kind USAGE where nothing has that path, ENVIRONMENT
   * where the disk fails or access is denied.
   */
  public static Checkpoint open(Path path) {
    CheckpointFiles files = CheckpointFiles.find(path);
    JsonNode config = ModelConfig.read(files.folder().resolve(ModelConfig.FILE));
    Map<String, ShardFile> shards = new LinkedHashMap<>();
    boolean opened = false;
    try {
      HeaderBudget budget = new HeaderBudget();
      List<SafetensorsHeader> headers = new ArrayList<>();
      for (String name : files.shards()) {
        ShardFile shard = ShardFile.open(files.folder().resolve(name));
        shards.put(name, shard);
        headers.add(HeaderParser.parse(shard, budget));
      }
      if (Adapter.isAll(headers.stream().flatMap(header -> header.tensors().stream()).toList())) {
        throw Adapter.refusal(path, files.folder());
      }
      Checkpoint checkpoint = new Checkpoint(files, config, shards, headers);
      opened = true;
      return checkpoint;
    } finally {
      if (!opened) {
        closeAll(shards.values());
      }
    }
  }

  /** The folder, real path. */
  public Path folder() {
    return files.folder();
  }

  /**
   * All tensors in disk order: by shard file name, then by position. Packed weights {@code
   * X.weight_packed} are called {@code X.weight} here and everywhere.
   */
  public List<TensorInfo> tensors() {
    return tensors;
  }

  /** The stored tensor of that name; aliases are not followed. */
  public Optional<TensorInfo> tensor(String name) {
    return Optional.ofNullable(byName.get(name));
  }

  /** Which tensors are weight matrices, and in which layout. */
  public WeightTensors weights() {
    return weights;
  }

  /** {@code __metadata__} of all shards together; where two disagree, the first one's entry. */
  public SortedMap<String, String> metadata() {
    return metadata;
  }

  /**
   * Tied tensors: alias name to the name of the stored tensor. Metadata entries that name a stored
   * tensor are aliases.
   */
  public SortedMap<String, String> aliases() {
    return aliases;
  }

  /** config.json, or an empty object. */
  public JsonNode config() {
    return config.deepCopy();
  }

  /**
   * What others make of names, shapes and config.json, made once for each type.
   *
   * @param make reads headers only, and asks for nothing derived itself
   */
  public <T> T derived(Class<T> type, Function<Checkpoint, T> make) {
    return type.cast(derived.computeIfAbsent(type, key -> make.apply(this)));
  }

  /** What the user should know of files that do not agree, each a sentence. */
  public List<String> warnings() {
    return warnings;
  }

  /** Shard files in order. */
  public List<Path> shards() {
    return shards.values().stream().map(ShardFile::path).toList();
  }

  /**
   * Small files that go along byte for byte, as absolute paths under {@link #folder}, sorted:
   * everything of at most 64 MiB, in folders too, that is neither hidden nor weights, and describes
   * no weights, unless quantized weights that cannot be read stay. None where a single file was
   * opened in a folder without config.json.
   */
  public List<Path> sideFiles() {
    return sideFiles.taken();
  }

  /**
   * Files and folders that do not go along, sorted, and why; neither the shards nor their index are
   * among them.
   */
  public List<LeftOut> leftOut() {
    return sideFiles.leftOut();
  }

  /**
   * Fills {@code target}, which lies outside the heap, with the tensor's bytes from {@code offset}
   * (relative to the tensor) on, by positioned reads. A file that has become shorter is a {@link
   * CheckpointException}; a disk that fails is an EngineException of kind ENVIRONMENT. A thread
   * that is interrupted gets kind STOPPED and disturbs no other.
   */
  @Override
  public void read(TensorInfo tensor, long offset, MemorySegment target) {
    Objects.checkFromIndexSize(offset, target.byteSize(), tensor.bytes());
    shard(tensor).read(tensor.position() + offset, target, "tensor " + names.quoted(tensor.name()));
    bytesRead.add(target.byteSize());
  }

  /** Bytes of tensors read so far, by all threads; what was read twice counts twice. */
  public long bytesRead() {
    return bytesRead.sum();
  }

  /**
   * A reader of floats for one thread, with buffers that are reused from call to call; the caller
   * closes it.
   */
  public TensorReader newReader() {
    return new TensorReader(this);
  }

  /** As the method of {@link TensorReader}, with buffers for this one call. */
  public void readFloats(TensorInfo tensor, int firstRow, int firstColumn, FloatMatrix target) {
    try (TensorReader reader = newReader()) {
      reader.readFloats(tensor, firstRow, firstColumn, target);
    }
  }

  /** As the method of {@link TensorReader}, with buffers for this one call. */
  public void readFloats(WeightTensor weight, int firstRow, int firstColumn, FloatMatrix target) {
    try (TensorReader reader = newReader()) {
      reader.readFloats(weight, firstRow, firstColumn, target);
    }
  }

  @Override
  public String place(TensorInfo tensor) {
    return shard(tensor).path() + ": tensor " + names.quoted(tensor.name());
  }

  private ShardFile shard(TensorInfo tensor) {
    ShardFile shard = shards.get(tensor.file());
    if (shard == null) {
      throw new IllegalArgumentException("tensor " + tensor.name() + " is of another checkpoint");
    }
    return shard;
  }

  private static void closeAll(Collection<ShardFile> shards) {
    shards.forEach(ShardFile::close);
  }

  @Override
  public void close() {
    closeAll(shards.values());
  }
}
