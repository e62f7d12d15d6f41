/**
 * Text as tokens. Start at {@link io.cafeq.engine.tokens.TextTokenizer}, which reads a checkpoint's
 * tokenizer.json through the native library that {@link io.cafeq.engine.tokens.TokenizerLibrary}
 * finds; {@link io.cafeq.engine.tokens.BeginningToken} is what each text of a model begins with.
 */
@NullMarked
package io.cafeq.engine.tokens;

import org.jspecify.annotations.NullMarked;
