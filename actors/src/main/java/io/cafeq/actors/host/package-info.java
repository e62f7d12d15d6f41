/**
 * The one host of a process, which runs many jobs, plans and evaluations at the same time in one
 * pool of memory and on one set of lanes. Start at {@link io.cafeq.actors.host.EngineHost}.
 */
@NullMarked
package io.cafeq.actors.host;

import org.jspecify.annotations.NullMarked;
