/**
 * Other formats made from a finished result. Each is an {@link
 * io.cafeq.engine.export.ExportFormat}, found by ServiceLoader, so that a format is a package of
 * its own, here or in another jar; {@link io.cafeq.engine.export.Exports} finds and runs them.
 * Start there.
 */
@NullMarked
package io.cafeq.engine.export;

import org.jspecify.annotations.NullMarked;
