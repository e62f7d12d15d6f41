/**
 * Every setting as a typed record. {@code reference.conf} holds the defaults with a comment on each
 * key; {@link io.cafeq.config.Recipe} changes the bytes of a result, {@link
 * io.cafeq.config.RunSettings} does not. Start at {@link io.cafeq.config.Settings}, which reads
 * both, reports all problems at once and refuses unknown keys.
 */
@NullMarked
package io.cafeq.config;

import org.jspecify.annotations.NullMarked;
