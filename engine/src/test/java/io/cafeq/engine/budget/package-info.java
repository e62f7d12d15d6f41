@NullMarked
package io.cafeq.engine.budget;

import org.jspecify.annotations.NullMarked;
