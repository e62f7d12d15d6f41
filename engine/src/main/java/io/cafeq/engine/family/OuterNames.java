package io.cafeq.engine.family;

import java.util.Optional;
import java.util.regex.Pattern;

/**
 * What the text model's embeddings and its head over the vocabulary are called, as regular
 * expressions.
 */
record OuterNames(Pattern embedding, Pattern head) {
  OuterNames(String embedding, String head) {
    this(Pattern.compile(embedding), Pattern.compile(head));
  }

  Optional<Role> role(String tensorName) {
    if (embedding.matcher(tensorName).matches()) {
      return Optional.of(Role.EMBEDDING);
    }
    return head.matcher(tensorName).matches() ? Optional.of(Role.HEAD) : Optional.empty();
  }
}
