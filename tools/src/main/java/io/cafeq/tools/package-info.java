/**
 * The command line: one class a command, each of which reads options, calls the same operations
 * that other programs can call, and prints. Start at {@link io.cafeq.tools.Main}.
 */
@NullMarked
package io.cafeq.tools;

import org.jspecify.annotations.NullMarked;
