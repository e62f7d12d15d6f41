package io.cafeq.engine.estimate;

/**
 * The features of one input.
 *
 * @param features by feature and channel, in the order of {@link InputKind#features}; not to be
 *     changed
 */
record InputFeatures(InputKind kind, double[][] features) {}
