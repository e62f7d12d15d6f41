/**
 * Reads and writes safetensors: headers are checked whole before any data is touched, slices are
 * read by position, and nothing is mapped or loaded whole. Start at {@link
 * io.cafeq.engine.checkpoint.Checkpoint}; a worker opens a {@link
 * io.cafeq.engine.checkpoint.TensorReader} of its own. {@link
 * io.cafeq.engine.checkpoint.WeightTensors} says which tensors are weights, and in which layout;
 * the reader gives all of them as [out, in], dequantized where another program quantized them.
 * {@link io.cafeq.engine.checkpoint.SourceQuantization} refuses what cannot be. What is on the heap
 * is bounded for any file, however hostile: {@code HeaderBudget} says by how much. {@link
 * io.cafeq.engine.checkpoint.ShardedWriter} writes a checkpoint, and {@link
 * io.cafeq.engine.checkpoint.DurableFile} any file that must be whole or not there at all.
 */
@NullMarked
package io.cafeq.engine.checkpoint;

import org.jspecify.annotations.NullMarked;
