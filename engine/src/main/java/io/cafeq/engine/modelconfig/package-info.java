/**
 * What config.json says of a model, read in one place. Start at {@link
 * io.cafeq.engine.modelconfig.ModelConfig}; {@link io.cafeq.engine.modelconfig.TextConfig} is what
 * it says of the text model, under one name for each key, and {@link
 * io.cafeq.engine.modelconfig.ConfigNumbers} reads it strictly, for whoever computes with it.
 */
@NullMarked
package io.cafeq.engine.modelconfig;

import org.jspecify.annotations.NullMarked;
