package io.cafeq.engine.compare;

import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.RawTensors;
import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.memory.FloatMatrix;
import java.nio.file.Path;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/** The effective weights of a result. */
final class ResultTensors implements TensorSet {
  private final ResultReader result;
  private final TensorReader raw;
  private final SortedMap<String, List<Long>> shapes = new TreeMap<>();

  private ResultTensors(ResultReader result) {
    this.result = result;
    this.raw = new TensorReader(new RawTensors(result));
  }

  static ResultTensors open(Path folder) {
    ResultTensors tensors = new ResultTensors(ResultReader.open(folder));
    for (Manifest.TensorEntry entry : tensors.result.tensors()) {
      TensorHeader header = tensors.result.header(entry.name());
      if (header.isQuantized()) {
        tensors.shapes.put(entry.name(), header.meaning());
      } else if (header.isRaw() && entry.dtype().isWeight() && entry.elements() > 0) {
        tensors.shapes.put(entry.name(), entry.shape());
      }
    }
    return tensors;
  }

  @Override
  public SortedMap<String, List<Long>> shapes() {
    return shapes;
  }

  @Override
  public void read(String name, int firstRow, FloatMatrix target) {
    TensorHeader header = result.header(name);
    if (header.isQuantized()) {
      result.readRows(name, firstRow, target);
      return;
    }
    long rows = header.bytes() / header.dtype().bytes() / target.columns();
    raw.readFloats(
        new TensorInfo(
            name,
            header.dtype(),
            List.of(rows, (long) target.columns()),
            header.name(),
            0,
            header.bytes()),
        firstRow,
        0,
        target);
  }

  @Override
  public void close() {
    try (result) {
      raw.close();
    }
  }
}
