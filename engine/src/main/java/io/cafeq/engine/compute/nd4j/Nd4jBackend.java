package io.cafeq.engine.compute.nd4j;

import io.cafeq.engine.compute.ComputeBackend;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.compute.ComputeProvider;
import io.cafeq.engine.compute.RoundingShape;
import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.memory.MemoryNeed;
import io.cafeq.engine.rounding.SlabEncoder;
import java.util.Locale;
import org.nd4j.linalg.factory.Nd4j;

/** Matrix products by ND4J on OpenBLAS, one thread a lane. */
public final class Nd4jBackend implements ComputeBackend {
  private final String core;
  private final String configuration;

  Nd4jBackend() {
    Nd4j.getExecutioner();
    OpenBlas blas = new OpenBlas();
    blas.setThreads(1);
    core = blas.core();
    configuration = blas.configuration();
  }

  @Override
  public String id() {
    return "nd4j";
  }

  @Override
  public String kernel() {
    return "nd4j/" + core;
  }

  @Override
  public String description() {
    return "ND4J on " + configuration;
  }

  @Override
  public MemoryNeed roundingNeed(RoundingShape slab) {
    return WideRangeEncoder.need(slab);
  }

  @Override
  public ComputeLane openLane() {
    MatrixProducts products = new BlasProducts();
    return new Lane(products, new WideRangeEncoder(products));
  }

  private record Lane(MatrixProducts products, SlabEncoder encoder) implements ComputeLane {
    @Override
    public double secondsOfProduct(int size) {
      try (NativeMatrix a = new NativeMatrix(size, size);
          NativeMatrix b = new NativeMatrix(size, size);
          NativeMatrix result = new NativeMatrix(size, size)) {
        a.clear();
        b.clear();
        NativeMatrix.multiply(a, false, b, false, 0, result);
        long start = System.nanoTime();
        NativeMatrix.multiply(a, false, b, false, 0, result);
        return (System.nanoTime() - start) / 1e9;
      }
    }

    @Override
    public void close() {
      encoder.close();
    }
  }

  /** Whether the native library loads here. */
  static ComputeProvider.Probe probe() {
    String os = System.getProperty("os.name", "");
    String architecture = System.getProperty("os.arch", "").toLowerCase(Locale.ROOT);
    if (!os.equals("Linux") || !architecture.equals("amd64")) {
      return new ComputeProvider.Probe.Unavailable(
          "its native library is for Linux on x86-64, this is " + os + " on " + architecture,
          "Use --backend scalar here, or run on Linux x86-64.");
    }
    try {
      return new ComputeProvider.Probe.Available(new Nd4jBackend().description());
    } catch (LinkageError | RuntimeException e) {
      return new ComputeProvider.Probe.Unavailable(
          "its native library does not load (" + e + ")",
          "Check that the cache folder of the launcher can be written and that libgomp1 is"
              + " installed, or use --backend scalar.");
    }
  }

  /** Found by ServiceLoader. */
  public static final class Nd4jProvider implements Provider {
    @Override
    public String id() {
      return "nd4j";
    }

    @Override
    public int priority() {
      return 10;
    }

    @Override
    public Probe probe() {
      return Nd4jBackend.probe();
    }

    @Override
    public ComputeBackend create() {
      return new Nd4jBackend();
    }
  }
}
