/**
 * Names and places of everything in a result's folder, below all packages that read or write there.
 * Start at {@link io.cafeq.engine.result.ResultLayout}.
 */
@NullMarked
package io.cafeq.engine.result;

import org.jspecify.annotations.NullMarked;
