/**
 * Figures of a finished unit (bits, errors, hashes), as values that files, reports and jobs share.
 * Start at {@link io.cafeq.engine.receipt.UnitReceipt}.
 */
@NullMarked
package io.cafeq.engine.receipt;

import org.jspecify.annotations.NullMarked;
