package io.cafeq.engine.evaluate;

/**
 * How far a matrix's output is from that of the reference's matrix on the inputs X [tokens, in]
 * that the reference's forward pass gives it: ||X W^T - X W'^T|| / ||X W^T||.
 *
 * @param layer from 0
 * @param matrix name after the layer's number, such as {@code mlp.down_proj}; experts count
 *     together as {@code mlp.experts.*.down_proj}; {@code self_attn.v_proj+o_proj} is the product
 *     of both, see {@link OutputErrors}
 * @param error relative, in the Frobenius norm
 */
public record OutputError(int layer, String matrix, double error) {}
