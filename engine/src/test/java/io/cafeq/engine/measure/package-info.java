@NullMarked
package io.cafeq.engine.measure;

import org.jspecify.annotations.NullMarked;
