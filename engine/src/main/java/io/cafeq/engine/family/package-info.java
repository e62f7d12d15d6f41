/**
 * Model families: names and roles of tensors, shared inputs, experts, layouts, and which matrices
 * may be paired or why not. Start at {@link io.cafeq.engine.family.Families}, which finds the
 * {@link io.cafeq.engine.family.ModelFamily} of a config.json; a new family is mostly a line there.
 */
@NullMarked
package io.cafeq.engine.family;

import org.jspecify.annotations.NullMarked;
