/** The contract that every store of checkpoints keeps, and a store in memory for other tests. */
@org.jspecify.annotations.NullMarked
package io.cafeq.engine.store;
