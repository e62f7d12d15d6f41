package io.cafeq.engine.quantize;

import io.cafeq.engine.memory.MemoryNeed;

/**
 * What one part of a unit takes at most.
 *
 * @param learning what the learner may hold while the part in front is rounded
 * @param all from beginning to end
 */
record PartMemory(MemoryNeed learning, MemoryNeed all) {}
