/** A format of the tests' own, as another programmer would add one. */
@NullMarked
package io.cafeq.engine.export.toy;

import org.jspecify.annotations.NullMarked;
