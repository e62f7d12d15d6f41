/**
 * The paper's tables made again on seeded weights of the same geometry. Start at {@link io.cafeq.tools.reproduce.TableOne}.
 */
@NullMarked
package io.cafeq.tools.reproduce;

import org.jspecify.annotations.NullMarked;
