package io.cafeq.actors.lane;

import org.apache.pekko.actor.NoSerializationVerificationNeeded;

/** Marks a message that never leaves its node and may hold references to objects of it. */
public interface NodeLocal extends NoSerializationVerificationNeeded {}
