/**
 * What is known of the inputs that the matrices of a model meet: second moments H = mean of x x^T
 * over tokens. Start at {@link io.cafeq.engine.statistics.InputMoments}.
 *
 * <p>With e the error of a row of weights, e^T H e is the mean squared error of that output: the
 * metric in which rounding should be done.
 */
@NullMarked
package io.cafeq.engine.statistics;

import org.jspecify.annotations.NullMarked;
