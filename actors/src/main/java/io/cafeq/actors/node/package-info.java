/**
 * What a process lends its jobs: actors, lanes, memory, a backend. Start at {@link
 * io.cafeq.actors.node.Node}.
 */
@NullMarked
package io.cafeq.actors.node;

import org.jspecify.annotations.NullMarked;
