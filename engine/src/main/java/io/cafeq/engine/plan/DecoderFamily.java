package io.cafeq.engine.plan;

import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Decoders with Llama's names: separate q, k, v and o, a gated feed-forward part, weights [out, in]. Names are taken
 * with and without the prefixes that multimodal checkpoints put before their text model; towers for images and sound
 * have names of their own and are no part of it.
 */
record DecoderFamily(String name, Set<String> modelTypes) implements ModelFamily {
  private static final String TEXT_MODEL =
      "(?:model\\.|language_model\\.|language_model\\.model\\.|model\\.language_model\\.)?";
  private static final Pattern LINEAR = Pattern.compile("(?<input>" + TEXT_MODEL
      + "layers\\.\\d+\\.(?:self_attn(?=\\.[qkvo]_)|mlp(?=\\.(?:gate|up|down)_)))\\.(?<role>[a-z]+_proj)\\.weight");
  private static final Pattern EMBEDDING = Pattern.compile(TEXT_MODEL + "embed_tokens\\.weight");
  private static final Pattern HEAD = Pattern.compile(TEXT_MODEL + "lm_head\\.weight");

  private static final Map<String, Role> ROLES = Map.of(
      "q_proj", Role.QUERY, "k_proj", Role.KEY, "v_proj", Role.VALUE, "o_proj", Role.ATTENTION_OUTPUT,
      "gate_proj", Role.GATE, "up_proj", Role.UP, "down_proj", Role.DOWN);
  private static final Set<Role> SHARING = Set.of(Role.QUERY, Role.KEY, Role.VALUE, Role.GATE, Role.UP);

  DecoderFamily {
    modelTypes = Set.copyOf(modelTypes);
  }

  @Override
  public boolean accepts(String modelType) {
    return modelTypes.contains(modelType);
  }

  @Override
  public Place place(String tensorName) {
    Matcher linear = LINEAR.matcher(tensorName);
    if (linear.matches() && ROLES.containsKey(linear.group("role"))) {
      Role role = Objects.requireNonNull(ROLES.get(linear.group("role")));
      return new Place(role, SHARING.contains(role) ? Optional.of(linear.group("input")) : Optional.empty());
    }
    if (EMBEDDING.matcher(tensorName).matches()) {
      return Place.of(Role.EMBEDDING);
    }
    if (HEAD.matcher(tensorName).matches()) {
      return Place.of(Role.HEAD);
    }
    // A tower's own embeddings are not the text model's, which --embeddings means.
    return Place.of(CommonNames.role(tensorName)
        .filter(role -> role != Role.EMBEDDING && role != Role.HEAD)
        .orElse(Role.OTHER));
  }
}
