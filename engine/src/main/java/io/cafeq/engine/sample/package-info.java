/**
 * Seeded checkpoints for the demo, the benchmarks and the tests: Llama-shaped, of any size, with
 * the outlier channels that make real weights hard to quantize. Start at {@link
 * io.cafeq.engine.sample.SampleCheckpoint}.
 */
@NullMarked
package io.cafeq.engine.sample;

import org.jspecify.annotations.NullMarked;
