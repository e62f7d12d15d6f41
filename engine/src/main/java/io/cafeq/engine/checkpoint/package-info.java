/**
 * Reads and writes safetensors: headers are checked whole before any data is touched, slices are read by
 * position, and nothing is mapped or loaded whole. Start at {@link io.cafeq.engine.checkpoint.Checkpoint}.
 */
@NullMarked
package io.cafeq.engine.checkpoint;

import org.jspecify.annotations.NullMarked;
