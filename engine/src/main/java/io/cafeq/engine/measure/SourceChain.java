package io.cafeq.engine.measure;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.family.DecoderTensors;
import io.cafeq.engine.family.ModelDescription;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * SHA-256 of the weights that decide what a forward pass computes. A tensor is read for it once,
 * however often it is asked for, so a checkpoint must be left alone while a job runs. Thread-safe;
 * borrows the checkpoint.
 */
final class SourceChain {
  private static final String WEIGHT = "weight";

  private final Checkpoint checkpoint;
  private final Map<String, String> tensors = new HashMap<>();

  /** Of the embedding, then of each layer and all before it. */
  private final List<String> chain = new ArrayList<>();

  SourceChain(Checkpoint checkpoint) {
    this.checkpoint = checkpoint;
  }

  /**
   * Of the embedding and of the layers up to this one, whether or not anything is measured in them.
   */
  synchronized String upTo(int layer, StopFlag stop) {
    DecoderTensors names =
        ModelDescription.of(checkpoint)
            .decoderTensors(this::has)
            .orElseThrow(
                () ->
                    new IllegalStateException(
                        checkpoint.location()
                            + " has no layers, and its statistics are asked for"));
    if (chain.isEmpty()) {
      String embedding = checkpoint.aliases().getOrDefault(names.embedding(), names.embedding());
      // scales beside the weights begin alike
      chain.add(
          hash(
              "",
              beginningWith(embedding.substring(0, embedding.length() - WEIGHT.length())),
              stop));
    }
    while (chain.size() - 1 <= layer) {
      chain.add(hash(chain.getLast(), beginningWith(names.layer(chain.size() - 1)), stop));
    }
    return chain.get(layer + 1);
  }

  /** Of some stored tensors. */
  synchronized String of(SortedSet<String> names, StopFlag stop) {
    return hash("", names, stop);
  }

  /** Reads a stored tensor for it, unless that was done. */
  synchronized void add(String name, StopFlag stop) {
    hash(name, stop);
  }

  /** Of all tensors. */
  synchronized String all(StopFlag stop) {
    return hash("", beginningWith(""), stop);
  }

  private boolean has(String name) {
    return checkpoint.tensor(name).isPresent() || checkpoint.aliases().containsKey(name);
  }

  /** Stored tensors that are found by such a name, tied ones included. */
  private SortedSet<String> beginningWith(String prefix) {
    SortedSet<String> names = new TreeSet<>();
    Stream.concat(
            checkpoint.tensors().stream().map(TensorInfo::name),
            checkpoint.aliases().keySet().stream())
        .filter(name -> name.startsWith(prefix))
        .forEach(name -> names.add(checkpoint.aliases().getOrDefault(name, name)));
    return names;
  }

  private String hash(String before, SortedSet<String> names, StopFlag stop) {
    StringBuilder text = new StringBuilder(before).append('\n');
    for (String name : names) {
      text.append(name).append(' ').append(hash(name, stop)).append('\n');
    }
    return Digests.text(text.toString());
  }

  private String hash(String name, StopFlag stop) {
    String known = tensors.get(name);
    if (known != null) {
      return known;
    }
    String read = Digests.tensor(checkpoint, checkpoint.tensor(name).orElseThrow(), stop);
    tensors.put(name, read);
    return read;
  }
}
