/**
 * The dense export: a result's effective weights as an ordinary checkpoint. Start at {@link
 * io.cafeq.engine.export.dense.DenseExport}.
 */
@NullMarked
package io.cafeq.engine.export.dense;

import org.jspecify.annotations.NullMarked;
