/** Tests of the GGUF export. */
@NullMarked
package io.cafeq.engine.export.gguf;

import org.jspecify.annotations.NullMarked;
