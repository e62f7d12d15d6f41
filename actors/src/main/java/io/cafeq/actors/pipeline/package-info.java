/**
 * The stream that units flow through: memory first, then a lane, then the outcome. Start at {@link
 * io.cafeq.actors.pipeline.UnitPipeline}.
 */
@NullMarked
package io.cafeq.actors.pipeline;

import org.jspecify.annotations.NullMarked;
