/**
 * A node's lanes and memory. {@link io.cafeq.actors.lane.LaneHost} is one actor behind which stand
 * one worker per lane and the bytes that all of them share; messages to it are records that can
 * cross to another node. What a worker does with a unit is a {@link io.cafeq.actors.lane.UnitWork},
 * so no actor knows numerics. Start at {@link io.cafeq.actors.lane.LaneHost}.
 */
@NullMarked
package io.cafeq.actors.lane;

import org.jspecify.annotations.NullMarked;
