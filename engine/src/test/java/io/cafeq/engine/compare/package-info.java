@NullMarked
package io.cafeq.engine.compare;

import org.jspecify.annotations.NullMarked;
