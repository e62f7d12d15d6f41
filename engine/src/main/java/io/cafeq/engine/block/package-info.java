/**
 * The native output: one Arrow file a unit, the manifest, and what reads them back. Start at {@link
 * io.cafeq.engine.block.ResultReader}, which gives the effective weights of a finished result;
 * {@link io.cafeq.engine.block.UnitFileWriter} and {@link io.cafeq.engine.block.UnitFileReader} are
 * one unit's file, {@link io.cafeq.engine.block.SlabDecoder} turns codes into weights, {@link
 * io.cafeq.engine.block.UnitProof} and {@link io.cafeq.engine.block.ResultVerifier} compare with
 * the source. Readers trust nothing: lengths are bounded before memory is taken, every row has a
 * checksum. docs/format.md describes the files.
 */
@NullMarked
package io.cafeq.engine.block;

import org.jspecify.annotations.NullMarked;
