package io.cafeq.engine.compute.scalar;

import io.cafeq.engine.compute.ComputeBackend;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.compute.RoundingShape;
import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.memory.MemoryNeed;
import io.cafeq.engine.rounding.SlabEncoder;
import io.cafeq.engine.transform.SquareMatrices;

/** Works everywhere. */
public final class ScalarBackend implements ComputeBackend {
  @Override
  public String id() {
    return "scalar";
  }

  @Override
  public String kernel() {
    return "scalar";
  }

  @Override
  public String description() {
    return "plain Java, double precision: the reference, slow";
  }

  @Override
  public MemoryNeed roundingNeed(RoundingShape slab) {
    return MemoryNeed.host(
        ScalarSlabEncoder.scratchBytes(slab.rows(), slab.columns()),
        ScalarSlabEncoder.heapBytes(slab.rows(), slab.columns(), slab.group()));
  }

  @Override
  public ComputeLane openLane() {
    return new Lane(new ScalarProducts(), new ScalarSlabEncoder());
  }

  private record Lane(MatrixProducts products, SlabEncoder encoder) implements ComputeLane {
    @Override
    public double secondsOfProduct(int size) {
      double[] a = SquareMatrices.identity(size);
      SquareMatrices.multiply(a, a, size);
      long start = System.nanoTime();
      SquareMatrices.multiply(a, a, size);
      return (System.nanoTime() - start) / 1e9;
    }

    @Override
    public void close() {
      encoder.close();
    }
  }

  /** Found by ServiceLoader. */
  public static final class ScalarProvider implements Provider {
    @Override
    public String id() {
      return "scalar";
    }

    @Override
    public int priority() {
      return 0;
    }

    @Override
    public Probe probe() {
      return new Probe.Available("plain Java");
    }

    @Override
    public ComputeBackend create() {
      return new ScalarBackend();
    }
  }
}
