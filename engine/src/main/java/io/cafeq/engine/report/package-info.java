/**
 * The report of a job. Start at {@link io.cafeq.engine.report.Report}: {@link
 * io.cafeq.engine.report.Totals} adds up the units, and {@link io.cafeq.engine.report.ReportFile}
 * writes {@code report.json}, the only file of a result with times, hosts and paths.
 */
@NullMarked
package io.cafeq.engine.report;

import org.jspecify.annotations.NullMarked;
