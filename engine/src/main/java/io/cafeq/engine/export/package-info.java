/**
 * Other formats made from a finished result. Start at {@link io.cafeq.engine.export.DenseExport}.
 */
@NullMarked
package io.cafeq.engine.export;

import org.jspecify.annotations.NullMarked;
