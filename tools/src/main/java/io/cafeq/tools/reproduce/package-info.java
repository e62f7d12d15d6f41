/**
 * The paper's tables made again on seeded weights of the same geometry. Each table is a {@link
 * io.cafeq.tools.reproduce.PaperTable}; start there.
 */
@NullMarked
package io.cafeq.tools.reproduce;

import org.jspecify.annotations.NullMarked;
