/**
 * The files of a checkpoint, wherever they are kept. Start at {@link
 * io.cafeq.engine.store.CheckpointStore}: it lists files, opens them as {@link
 * io.cafeq.engine.store.ByteSource}s, which are read by position, and says where they are in
 * messages. {@link io.cafeq.engine.store.FolderStore} is the one that knows paths; {@code
 * store.http} has those behind addresses. Counting, retries, read-ahead and tracing are wrappers
 * around any of them.
 */
@NullMarked
package io.cafeq.engine.store;

import org.jspecify.annotations.NullMarked;
