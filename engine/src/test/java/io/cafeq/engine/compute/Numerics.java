package io.cafeq.engine.compute;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.Tag;

/**
 * Marks tests with limits on results of the native library's products. The last bits of a product
 * depend on the kernel that the library picks for the CPU, and learning may magnify them, so CI
 * runs these tests under two kernels. A limit needs a margin several times the spread over kernels;
 * where the margin is small, the spread is written beside it.
 */
@Tag("numerics")
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.TYPE, ElementType.METHOD})
public @interface Numerics {}
