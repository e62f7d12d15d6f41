/**
 * Reproduces the paper's tables on seeded weights of the same shapes. Each table is a {@link
 * io.cafeq.tools.reproduce.PaperTable}; start there.
 */
@NullMarked
package io.cafeq.tools.reproduce;

import org.jspecify.annotations.NullMarked;
