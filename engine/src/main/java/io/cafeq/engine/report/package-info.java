/**
 * What a job tells at its end. The results of all units go into {@link
 * io.cafeq.engine.report.Totals} in one place, and with what was measured on the run they make a
 * {@link io.cafeq.engine.report.Report}, which {@link io.cafeq.engine.report.ReportFile} writes as
 * {@code report.json}. Times, hosts and paths stand here and in no other file of a result. Start at
 * Report.
 */
@NullMarked
package io.cafeq.engine.report;

import org.jspecify.annotations.NullMarked;
