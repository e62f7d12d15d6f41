/**
 * The stage of the stream that takes statistics: layers are measured one after the other on a
 * thread of their own, no further ahead of the units than is asked for. Start at {@link
 * io.cafeq.actors.measure.LayerKeeper}.
 */
@NullMarked
package io.cafeq.actors.measure;

import org.jspecify.annotations.NullMarked;
