/**
 * Measures how fast this machine learns and streams, and the limit of each figure in the same run.
 * Start at {@link io.cafeq.tools.bench.LearningBench} and {@link
 * io.cafeq.tools.bench.StreamingBench}.
 */
@NullMarked
package io.cafeq.tools.bench;

import org.jspecify.annotations.NullMarked;
