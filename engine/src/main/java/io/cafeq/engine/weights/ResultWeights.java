package io.cafeq.engine.weights;

import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.RawTensors;
import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.checkpoint.WeightTensors;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.family.ModelDescription;
import io.cafeq.engine.forward.ModelWeights;
import io.cafeq.engine.forward.Shapes;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.modelconfig.ModelConfig;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The weights of a finished result, decoded as they are asked for: the values of the codes with the
 * transforms undone, what a dense export holds before it is rounded to the source's types. Factors
 * of pairs are given as they are stored, folded, with the folded biases: the model that they make
 * is the same. Tensors that keep their bytes are read as in a checkpoint. Cheap where rows are
 * asked for in order. Owns the reader; used by the thread that opened it.
 */
public final class ResultWeights implements ModelWeights {
  private static final String REMEDY =
      "Check the result with \"cafeq verify\", and the checkpoint that it was made from.";

  private final ResultReader result;
  private final ModelDescription model;
  private final Map<String, Manifest.TensorEntry> entries;
  private final Map<String, TensorHeader> headers = new HashMap<>();
  private final Map<String, WeightTensor> raw = new HashMap<>();
  private final WeightTensors layouts;
  private final TensorReader reader;

  private ResultWeights(ResultReader result) {
    this.result = result;
    this.entries = result.manifest().tensorsByName();
    ModelConfig config = ModelConfig.of(result.config());
    this.layouts =
        WeightTensors.of(
            result.tensors().stream().map(ResultWeights::info).toList(),
            config,
            new RawTensors(result));
    this.model = ModelDescription.of(config, layouts.shapes());
    this.reader = new TensorReader(new RawTensors(result));
  }

  /** Kind RESULT where the folder holds no finished result. */
  public static ResultWeights open(Path folder) {
    ResultReader result = ResultReader.open(folder);
    try {
      return new ResultWeights(result);
    } catch (RuntimeException e) {
      result.close();
      throw e;
    }
  }

  @Override
  public ModelDescription model() {
    return model;
  }

  @Override
  public boolean has(String tensor) {
    return entries.containsKey(stored(tensor));
  }

  @Override
  public int rows(String tensor) {
    TensorHeader header = header(tensor);
    return header.isQuantized() ? Math.toIntExact(header.allRows()) : rawMatrix(tensor).allRows();
  }

  @Override
  public int columns(String tensor) {
    TensorHeader header = header(tensor);
    return header.isQuantized() ? header.columns() : rawMatrix(tensor).columns();
  }

  @Override
  public void read(String tensor, int firstRow, FloatMatrix to) {
    if (header(tensor).isQuantized()) {
      result.readRows(stored(tensor), firstRow, to);
    } else {
      reader.readFloats(rawMatrix(tensor), firstRow, 0, to);
    }
  }

  @Override
  public float[] vector(String tensor, int length) {
    TensorHeader header = header(tensor);
    if (!header.isRaw() || header.shape().size() != 1 || !header.dtype().isWeight()) {
      throw failure(
          tensor, "expected a vector of floats, found " + header.dtype() + " " + header.shape());
    }
    Shapes.requireLength(tensor, length, header.elements());
    return reader.readVector(
        new TensorInfo(
            header.name(), header.dtype(), header.shape(), file(tensor), 0, header.bytes()));
  }

  /** All tensors as the source had them, unquantized; their places mean nothing. */
  public List<TensorInfo> tensors() {
    return result.tensors().stream().map(this::unquantized).toList();
  }

  private TensorInfo unquantized(Manifest.TensorEntry entry) {
    TensorInfo info = info(entry);
    if (entry.dtype().isWeight() || entry.shape().size() < 2) {
      return info;
    }
    TensorHeader header = header(entry.name());
    if (header.isQuantized()) {
      return header.layout().statesShape() ? header.unquantized() : info;
    }
    return layouts.read(info, model.family().place(info.name()).transposed())
            instanceof WeightTensors.Reading.Weights(WeightTensor weight)
        ? weight.unquantized()
        : info;
  }

  /**
   * Whether some rows of a matrix are a factor of a pair, of which only the product with the other
   * factor means anything.
   */
  public boolean isCoupled(String tensor) {
    return header(tensor).sections().stream().anyMatch(section -> section.coding().coupled());
  }

  @Override
  public void close() {
    reader.close();
    result.close();
  }

  private WeightTensor rawMatrix(String tensor) {
    WeightTensor known = raw.get(tensor);
    if (known != null) {
      return known;
    }
    TensorInfo info = info(entry(tensor));
    WeightTensor found =
        switch (layouts.read(info, model.family().place(info.name()).transposed())) {
          case WeightTensors.Reading.Weights(WeightTensor weight) -> weight;
          case WeightTensors.Reading.NoWeights(String reason) ->
              throw failure(tensor, "the forward pass needs a matrix, but this tensor " + reason);
        };
    raw.put(tensor, found);
    return found;
  }

  private TensorHeader header(String tensor) {
    TensorHeader known = headers.get(tensor);
    if (known != null) {
      return known;
    }
    TensorHeader found = result.header(entry(tensor).name());
    headers.put(tensor, found);
    return found;
  }

  private Manifest.TensorEntry entry(String tensor) {
    Manifest.TensorEntry entry = entries.get(stored(tensor));
    if (entry == null) {
      throw failure(tensor, "the forward pass needs it, but it is not there");
    }
    return entry;
  }

  private String file(String tensor) {
    return entry(tensor).file();
  }

  @Override
  public String stored(String tensor) {
    return result.manifest().aliases().getOrDefault(tensor, tensor);
  }

  /** As if the tensor were the whole of its file: its place is the result's affair. */
  private static TensorInfo info(Manifest.TensorEntry entry) {
    return new TensorInfo(
        entry.name(),
        entry.dtype(),
        entry.shape(),
        entry.file(),
        0,
        entry.elements() * entry.dtype().bytes());
  }

  private EngineException failure(String tensor, String what) {
    return new EngineException(
        FailureKind.RESULT, result.folder() + ": tensor \"" + tensor + "\": " + what, REMEDY);
  }
}
