package io.cafeq.actors.lane;

/**
 * Marks a message that may travel between nodes. {@code cafeq-actors.conf} binds it to Jackson's
 * CBOR, so such a message is a record of ids, numbers, texts and actor references: no closures,
 * nothing that is shared by reference.
 */
public interface CborMessage {}
