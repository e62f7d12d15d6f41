/** Tests of what config.json says of a model. */
@NullMarked
package io.cafeq.engine.modelconfig;

import org.jspecify.annotations.NullMarked;
