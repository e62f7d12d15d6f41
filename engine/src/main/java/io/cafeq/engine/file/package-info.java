/**
 * What all parts need of files: digests, and failures in words for the user. Start at {@link
 * io.cafeq.engine.file.Digests}.
 */
@NullMarked
package io.cafeq.engine.file;

import org.jspecify.annotations.NullMarked;
