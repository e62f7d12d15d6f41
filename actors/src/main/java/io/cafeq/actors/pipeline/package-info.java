/**
 * The stream that a job's units flow through: a gate first, then a node's lanes, then the result.
 * Start at {@link io.cafeq.actors.pipeline.UnitPipeline}.
 */
@NullMarked
package io.cafeq.actors.pipeline;

import org.jspecify.annotations.NullMarked;
