/**
 * Files of llama.cpp (GGUF, version 3), written from the stored codes and never rounded again.
 * Start with {@link io.cafeq.engine.export.gguf.GgufExport}; {@link
 * io.cafeq.engine.export.gguf.GgufFile} reads what it wrote, and knows nothing of results. Layouts
 * of blocks follow ggml-common.h, names and keys those of llama.cpp's converter.
 */
@NullMarked
package io.cafeq.engine.export.gguf;

import org.jspecify.annotations.NullMarked;
