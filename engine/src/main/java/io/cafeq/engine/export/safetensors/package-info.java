/**
 * The dense export: a result's effective weights as an ordinary checkpoint. Start at {@link
 * io.cafeq.engine.export.safetensors.DenseExport}.
 */
@NullMarked
package io.cafeq.engine.export.safetensors;

import org.jspecify.annotations.NullMarked;
