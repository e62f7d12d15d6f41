package io.cafeq.engine.forward;

import io.cafeq.engine.memory.MatrixProducts;

/**
 * What all layers of a pass share: slabs of weights, products, and memory for what is computed on
 * the way.
 */
record LayerMemory(
    WeightSlabs slabs, MatrixProducts products, Workspace workspace, Activation.Gating gating) {}
