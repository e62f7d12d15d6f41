/** Tests of the estimate. */
@NullMarked
package io.cafeq.engine.estimate;

import org.jspecify.annotations.NullMarked;
