package io.cafeq.engine.export;

import io.cafeq.engine.block.TensorHeader;

/**
 * How a result stores a tensor, as far as it is known without reading rows.
 *
 * @param hasExponents whether some rows have a power of two beside their scales
 */
public record TensorForm(TensorHeader header, boolean hasExponents) {}
