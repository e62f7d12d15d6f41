@NullMarked
package io.cafeq.engine.statistics;

import org.jspecify.annotations.NullMarked;
