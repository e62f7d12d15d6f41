/**
 * What a job tells at its end: {@code report.json} and its totals, made from the units' receipts in one place.
 * Start at {@link io.cafeq.engine.report.Report}.
 */
@NullMarked
package io.cafeq.engine.report;

import org.jspecify.annotations.NullMarked;
