package io.cafeq.engine.checkpoint;

import io.cafeq.config.RemoteSettings;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.modelconfig.ModelConfig;
import io.cafeq.engine.store.CheckpointStore;
import io.cafeq.engine.store.CountingStore;
import io.cafeq.engine.store.FolderStore;
import io.cafeq.engine.store.Located;
import io.cafeq.engine.store.Location;
import io.cafeq.engine.store.StoreException;
import io.cafeq.engine.store.TracingStore;
import io.cafeq.engine.store.http.RemoteStores;
import java.lang.foreign.MemorySegment;
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
import java.util.SequencedMap;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;

/**
 * A checkpoint in a store (or a single safetensors file of it) whose headers are all known to be
 * sound. Thread-safe; it owns the store, and the files stay open until it is closed. Closing it
 * while others read makes their reads fail.
 *
 * <p>Found are, in this order: the index {@code model.safetensors.index.json} with its shards where
 * it names model.safetensors or that does not exist; {@code model.safetensors}; the only
 * .safetensors file of the folder. Where an index and its shards do not agree, {@link #warnings}
 * says what was made of that.
 */
public final class Checkpoint implements TensorSource, AutoCloseable {
  private final CountingStore store;
  private final long bytesOfHeaders;
  private final String address;
  private final CheckpointFiles files;
  private final SideFiles sideFiles;
  private final ModelConfig config;
  private final Map<String, ShardFile> shards;
  private final List<TensorInfo> tensors;
  private final StoredNames names;
  private final Map<String, TensorInfo> byName;
  private final WeightTensors weights;
  private final SortedMap<String, String> metadata;
  private final SortedMap<String, String> aliases;
  private final List<String> warnings;
  private final Map<Class<?>, Object> derived = new ConcurrentHashMap<>();

  private Checkpoint(
      CountingStore store,
      String address,
      CheckpointFiles files,
      ModelConfig config,
      Map<String, ShardFile> shards,
      List<SafetensorsHeader> headers) {
    this.store = store;
    this.address = address;
    this.files = files;
    this.config = config;
    this.shards = shards;
    SortedMap<String, String> merged = new TreeMap<>();
    headers.forEach(header -> header.metadata().forEach(merged::putIfAbsent));
    this.metadata = Collections.unmodifiableSortedMap(merged);
    List<TensorInfo> stored =
        headers.stream().flatMap(header -> header.tensors().stream()).toList();
    List<String> found = new ArrayList<>();
    if (store.find(JsonFile.CONFIG).isEmpty()) {
      found.add(
          store.location()
              + " has no config.json, so names and shapes alone tell what the tensors are.");
    }
    if (files.index() != null) {
      IndexAgreement settled = IndexAgreement.of(files.index(), store, stored, merged, config);
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
    this.bytesOfHeaders = store.bytesRead();
  }

  /**
   * Opens a location as people write it, as {@link #open(Located)} does.
   *
   * @param location a path or an address, see {@link Location}
   * @param remote how addresses are read
   */
  public static Checkpoint open(String location, RemoteSettings remote) {
    return switch (Location.parse(location)) {
      case Location.Local(Path path) -> open(path);
      case Location.Remote address -> open(RemoteStores.open(address, remote));
    };
  }

  /** Opens a folder or a file on this machine, as {@link #open(Located)} does. */
  public static Checkpoint open(Path path) {
    try {
      return open(FolderStore.locate(path, CheckpointFiles.HOW));
    } catch (StoreException e) {
      throw CheckpointException.of(e);
    }
  }

  /**
   * Takes a store over and checks the index, every header and every length; reads no tensor data.
   * The store is closed with the checkpoint, and where this fails. Throws {@link
   * CheckpointException} where the checkpoint is at fault, and an {@link
   * io.cafeq.engine.failure.EngineException} of kind USAGE where nothing has that path, ENVIRONMENT
   * where the disk or the network fails or access is denied.
   */
  public static Checkpoint open(Located located) {
    CountingStore store = new CountingStore(new TracingStore(located.store()));
    String address = located.file().map(store::place).orElse(store.location());
    Map<String, ShardFile> shards = new LinkedHashMap<>();
    boolean opened = false;
    try {
      CheckpointFiles files = CheckpointFiles.find(new Located(store, located.file()));
      ModelConfig config = ModelConfig.of(JsonFile.read(store, JsonFile.CONFIG));
      HeaderBudget budget = new HeaderBudget();
      List<SafetensorsHeader> headers = new ArrayList<>();
      for (String name : files.shards()) {
        ShardFile shard = ShardFile.open(store, name);
        shards.put(name, shard);
        headers.add(HeaderParser.parse(shard, budget));
      }
      if (Adapter.isAll(headers.stream().flatMap(header -> header.tensors().stream()).toList())) {
        throw Adapter.refusal(address, store);
      }
      Checkpoint checkpoint = new Checkpoint(store, address, files, config, shards, headers);
      opened = true;
      return checkpoint;
    } catch (StoreException e) {
      throw CheckpointException.of(e);
    } finally {
      if (!opened) {
        closeAll(shards.values());
        store.close();
      }
    }
  }

  /** Where the files are, for messages and reports: the folder's real path, or an address. */
  public String location() {
    return store.location();
  }

  /**
   * What {@link #open(String, RemoteSettings)} takes to open the same files again; of a hub's model
   * the commit that its revision named.
   */
  public String address() {
    return address;
  }

  /** Where the file of that name is, for messages. */
  public String place(String file) {
    return store.place(file);
  }

  /** The files, borrowed. */
  public CheckpointStore store() {
    return store;
  }

  /**
   * The folder on this machine that is the checkpoint, or the file where that alone is, so that its
   * folder may hold the output; empty where it is elsewhere.
   */
  public Optional<Path> localPath() {
    return store
        .localFolder()
        .map(folder -> files.whole() ? folder : folder.resolve(files.shards().getFirst()));
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

  /** config.json; where there is none it says nothing. */
  public ModelConfig config() {
    return config;
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

  /** Sizes of the shard files in bytes by name, in order. */
  public SequencedMap<String, Long> shards() {
    SequencedMap<String, Long> sizes = new LinkedHashMap<>();
    shards.forEach((name, shard) -> sizes.put(name, shard.length()));
    return Collections.unmodifiableSequencedMap(sizes);
  }

  /**
   * Small files that go along byte for byte, by their names in the {@link #store}, sorted:
   * everything of at most 64 MiB, in folders too, that is neither hidden nor weights, and describes
   * no weights, unless quantized weights that cannot be read stay. None where a single file was
   * opened in a folder without config.json.
   */
  public List<String> sideFiles() {
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
   * Fills {@code target}, which is outside the heap, with the tensor's bytes from {@code offset}
   * (relative to the tensor) on, by positioned reads. A file that has become shorter is a {@link
   * CheckpointException}; a disk that fails is an EngineException of kind ENVIRONMENT. A thread
   * that is interrupted gets kind STOPPED and disturbs no other.
   */
  @Override
  public void read(TensorInfo tensor, long offset, MemorySegment target) {
    Objects.checkFromIndexSize(offset, target.byteSize(), tensor.bytes());
    shard(tensor).read(tensor.position() + offset, target, "tensor " + names.quoted(tensor.name()));
  }

  /** Bytes read after the headers, by all threads; bytes that were read twice count twice. */
  public long bytesRead() {
    return store.bytesRead() - bytesOfHeaders;
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
    return shard(tensor).place() + ": tensor " + names.quoted(tensor.name());
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
    try {
      closeAll(shards.values());
    } finally {
      store.close();
    }
  }
}
