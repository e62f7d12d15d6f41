package io.cafeq.engine.budget;

import io.cafeq.config.Method;
import io.cafeq.config.Rounding;
import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.config.TransformStorage;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What the user fixed for a tensor, and what is left to choose (empty).
 *
 * @param method decides whether there is a transform: CAFEQ may do without, ROTATION and HADAMARD always have theirs
 * @param group a divisor of the columns, 0 for the whole row
 * @param scaleBits bits of a compact scale, 8 or 6
 * @param storage of transforms; empty is int8, since bf16 takes twice the bits for less gain than a larger block in int8
 */
public record Freedom(
    Method method,
    OptionalInt bits,
    OptionalInt group,
    Optional<ScaleStorage> scales,
    int scaleBits,
    boolean clip,
    OptionalInt block,
    Optional<Side> side,
    Optional<TransformStorage> storage,
    Rounding rounding,
    int steps,
    long seed) {}
