package io.cafeq.engine.quantize;

import io.cafeq.config.Side;
import io.cafeq.engine.block.UnitFileWriter;
import io.cafeq.engine.rounding.SlabTransforms;
import io.cafeq.engine.transform.BlockTransform;
import java.util.ArrayList;
import java.util.List;

/** Gives slab after slab of a range its transforms. */
interface SlabBlocks extends AutoCloseable {
  SlabTransforms of(int rows);

  @Override
  default void close() {}

  /** Blocks of one range of the output side, written when they are taken. */
  record Output(UnitFileWriter writer, String key, BlockQueue queue) implements SlabBlocks {
    @Override
    public SlabTransforms of(int rows) {
      List<BlockTransform> blocks = new ArrayList<>();
      int done = 0;
      while (done < rows) {
        for (BlockTransform block : queue.next()) {
          blocks.add(block);
          done += block.k();
        }
      }
      blocks.forEach(block -> writer.writeTransform(key, block.stored().orElseThrow()));
      return new SlabTransforms.Blocks(Side.OUTPUT, blocks);
    }

    @Override
    public void close() {
      queue.close();
    }
  }
}
