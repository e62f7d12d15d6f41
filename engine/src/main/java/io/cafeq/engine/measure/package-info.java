/**
 * Takes the statistics of a model's matrix inputs: which source of tokens, which inputs, one pass
 * of the original weights over them layer by layer, and the files {@code statistics/} of a result.
 * Start at {@link io.cafeq.engine.measure.StatisticsPlan}; {@link
 * io.cafeq.engine.measure.StatisticsPass} does the work.
 */
@NullMarked
package io.cafeq.engine.measure;

import org.jspecify.annotations.NullMarked;
