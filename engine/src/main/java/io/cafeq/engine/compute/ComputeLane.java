package io.cafeq.engine.compute;

/** One thread's share of a backend, with scratch memory that is reused from call to call. Not thread-safe. */
public interface ComputeLane extends AutoCloseable {
  @Override
  void close();
}
