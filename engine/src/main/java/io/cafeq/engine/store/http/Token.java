package io.cafeq.engine.store.http;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.net.URI;
import java.util.Optional;

/**
 * A secret for one host. It has no text form, so that no message can hold it.
 *
 * @param origin the only scheme, host and port that get it
 */
record Token(String origin, Optional<String> secret) {
  /** The token for a hub; throws with kind USAGE where it cannot be sent in a header. */
  static Token of(String hub, Optional<String> secret) {
    Optional<String> stripped = secret.map(String::strip).filter(text -> !text.isEmpty());
    if (stripped.isPresent() && !stripped.get().matches("[\\x21-\\x7E]+")) {
      throw new EngineException(
          FailureKind.USAGE,
          "the hub's access token has characters that no token has",
          "Set the environment variable to the token alone, as the hub shows it.");
    }
    return new Token(Addresses.origin(URI.create(hub)), stripped);
  }

  /** The header's value for a request to that address; empty for all other hosts. */
  Optional<String> authorization(URI address) {
    return Addresses.origin(address).equals(origin)
        ? secret.map(text -> "Bearer " + text)
        : Optional.empty();
  }

  boolean isPresent() {
    return secret.isPresent();
  }

  @Override
  public String toString() {
    return "a token for " + origin;
  }
}
