/** Untrusted text, made safe to show. Start at {@link io.cafeq.engine.text.VisibleText}. */
@NullMarked
package io.cafeq.engine.text;

import org.jspecify.annotations.NullMarked;
