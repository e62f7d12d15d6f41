package io.cafeq.engine.store;

import java.util.Optional;

/**
 * A store that a location names; whoever asked for it closes it.
 *
 * @param file the one file of the store that is meant, where the location names a file
 */
public record Located(CheckpointStore store, Optional<String> file) {}
