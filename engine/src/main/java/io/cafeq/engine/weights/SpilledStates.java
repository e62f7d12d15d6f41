package io.cafeq.engine.weights;

import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.forward.ResidualStates;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.result.ResultLayout;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.UUID;

/**
 * States in a scratch file, some tokens at a time in memory. The file is deleted when it is closed,
 * and on Linux has no name from the start, so that nothing is left where the process is killed.
 * Owns the file, borrows the memory; not thread-safe.
 */
public final class SpilledStates implements ResidualStates {
  private static final long LARGEST_PIECE = 1L << 30;

  private final Path file;
  private final FileChannel channel;
  private final FloatMatrix buffer;

  private SpilledStates(Path file, FileChannel channel, FloatMatrix buffer) {
    this.file = file;
    this.channel = channel;
    this.buffer = buffer;
  }

  /** Scratch files in a folder. */
  public static Overflow in(Path folder) {
    return buffer -> create(folder, buffer);
  }

  private static SpilledStates create(Path folder, FloatMatrix buffer) {
    Path file = ResultLayout.scratch(folder, "states-" + UUID.randomUUID());
    try {
      FileChannel channel =
          FileChannel.open(
              file,
              StandardOpenOption.READ,
              StandardOpenOption.WRITE,
              StandardOpenOption.CREATE_NEW,
              StandardOpenOption.DELETE_ON_CLOSE);
      return new SpilledStates(file, channel, buffer);
    } catch (IOException e) {
      throw FileFailure.of("create", file, e);
    }
  }

  @Override
  public FloatMatrix place(int firstToken, int tokens) {
    return buffer.slice(0, tokens);
  }

  @Override
  public FloatMatrix load(int firstToken, int tokens) {
    FloatMatrix states = buffer.slice(0, tokens);
    long position = position(firstToken);
    try {
      for (long done = 0; done < states.segment().byteSize(); ) {
        int count = channel.read(piece(states.segment(), done), position + done);
        if (count < 0) {
          throw new EOFException("the file ends at byte " + (position + done));
        }
        done += count;
      }
    } catch (IOException e) {
      throw FileFailure.of("read", file, e);
    }
    return states;
  }

  @Override
  public void store(int firstToken, FloatMatrix states) {
    long position = position(firstToken);
    try {
      for (long done = 0; done < states.segment().byteSize(); ) {
        done += channel.write(piece(states.segment(), done), position + done);
      }
    } catch (IOException e) {
      throw FileFailure.of("write", file, e);
    }
  }

  private static ByteBuffer piece(MemorySegment segment, long done) {
    return segment.asSlice(done, Math.min(LARGEST_PIECE, segment.byteSize() - done)).asByteBuffer();
  }

  private long position(int firstToken) {
    return (long) firstToken * buffer.columns() * Float.BYTES;
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw FileFailure.of("close", file, e);
    }
  }
}
