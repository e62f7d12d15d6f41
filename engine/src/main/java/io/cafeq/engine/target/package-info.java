/**
 * What the files of other programs can hold, as values. Start with {@link
 * io.cafeq.engine.target.TargetGrids}.
 */
@NullMarked
package io.cafeq.engine.target;

import org.jspecify.annotations.NullMarked;
