package io.cafeq.engine.store.http;

import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.store.ByteSource;
import io.cafeq.engine.store.CheckpointStore;
import io.cafeq.engine.store.FileNames;
import io.cafeq.engine.store.StoreException;
import io.cafeq.engine.store.StoredFile;
import java.net.URI;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/**
 * A folder behind an address. Nothing lists it: files are asked for by name, and {@link #list} asks
 * for those that models usually have. What was found once is pinned until the store is closed.
 */
final class WebStore implements CheckpointStore {
  /** Files that checkpoints have, sorted. */
  private static final List<String> USUAL =
      Stream.of(
              "LICENSE",
              "LICENSE.txt",
              "README.md",
              "adapter_config.json",
              "added_tokens.json",
              "chat_template.jinja",
              "chat_template.json",
              "config.json",
              "config_sentence_transformers.json",
              "generation_config.json",
              "hf_quant_config.json",
              "merges.txt",
              "model.safetensors",
              "model.safetensors.index.json",
              "modules.json",
              "preprocessor_config.json",
              "processor_config.json",
              "quant_config.json",
              "quantize_config.json",
              "sentence_bert_config.json",
              "sentencepiece.bpe.model",
              "special_tokens_map.json",
              "spiece.model",
              "tekken.json",
              "tokenizer.json",
              "tokenizer.model",
              "tokenizer_config.json",
              "video_preprocessor_config.json",
              "vocab.json",
              "vocab.txt")
          .sorted()
          .toList();

  private final Transport transport;
  private final URI root;
  private final Map<String, Optional<RemoteFile>> found = new ConcurrentHashMap<>();

  /**
   * Takes the transport over.
   *
   * @param root ends with {@code /}
   */
  WebStore(Transport transport, URI root) {
    this.transport = transport;
    this.root = root;
  }

  @Override
  public String location() {
    return root.toString();
  }

  @Override
  public String place(String name) {
    return root + name;
  }

  @Override
  public List<StoredFile> list(String folder) {
    if (!folder.isEmpty()) {
      FileNames.require(folder, location());
      return List.of();
    }
    return USUAL.stream().flatMap(name -> ifAllowed(name).stream()).toList();
  }

  /** Some servers deny what is not there. */
  private Optional<StoredFile> ifAllowed(String name) {
    try {
      return find(name);
    } catch (StoreException e) {
      if (e.kind() == FailureKind.USAGE) {
        return Optional.empty();
      }
      throw e;
    }
  }

  @Override
  public Optional<StoredFile> find(String name) {
    return file(name)
        .map(
            file ->
                new StoredFile(
                    name, StoredFile.Kind.FILE, file.size(), file.size() + " " + file.tag()));
  }

  @Override
  public ByteSource open(String name) {
    return new RangeSource(
        transport,
        file(name)
            .orElseThrow(
                () ->
                    StoreException.checkpoint(
                        place(name),
                        "no such file",
                        "Put the missing file there, or check the address.")));
  }

  private Optional<RemoteFile> file(String name) {
    FileNames.require(name, location());
    Optional<RemoteFile> known = found.get(name);
    if (known != null) {
      return known;
    }
    Optional<RemoteFile> file =
        Probe.find(transport, root.resolve(Addresses.encoded(name)), place(name));
    Optional<RemoteFile> earlier = found.putIfAbsent(name, file);
    return earlier == null ? file : earlier;
  }

  @Override
  public Optional<Path> localFolder() {
    return Optional.empty();
  }

  @Override
  public long memory() {
    return 0;
  }

  @Override
  public void close() {
    transport.close();
  }
}
