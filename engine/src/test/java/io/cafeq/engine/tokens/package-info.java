/** Tests of text as tokens. */
@NullMarked
package io.cafeq.engine.tokens;

import org.jspecify.annotations.NullMarked;
