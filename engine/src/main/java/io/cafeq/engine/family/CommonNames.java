package io.cafeq.engine.family;

import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Tensor names that mean the same nearly everywhere. They serve to leave tensors alone, never to
 * quantize one.
 */
final class CommonNames {
  private static final Pattern SCALE =
      Pattern.compile(
          "(.*\\.)?(\\w+_scales?(_inv|_2)?|weight_(zero_point|shape|g_idx)|(input|output)_zero_point)");
  private static final Pattern BIAS = Pattern.compile("(.*[._])?(bias|beta)");
  private static final Pattern ROUTER =
      Pattern.compile("(.*\\.)?(\\w*router|gate|shared_expert_gate)(\\..*)?");
  private static final Pattern NORM =
      Pattern.compile("(.*[._])?(\\w*[nN]orm\\w*|ln_\\w+|ln\\d*)(\\.(weight|gamma))?");
  private static final Pattern HEAD = Pattern.compile("(.*\\.)?(lm_head|embed_out)\\.weight");
  private static final Pattern EMBEDDING =
      Pattern.compile("(.*\\.)?(embed_tokens|embed_in|wte|wpe|\\w*embeddings?)(\\.weight)?");

  private CommonNames() {}

  static Optional<Role> role(String name) {
    if (SCALE.matcher(name).matches()) {
      return Optional.of(Role.SCALE);
    }
    if (BIAS.matcher(name).matches()) {
      return Optional.of(Role.BIAS);
    }
    if (NORM.matcher(name).matches()) {
      return Optional.of(Role.NORM);
    }
    if (ROUTER.matcher(name).matches()) {
      return Optional.of(Role.ROUTER);
    }
    if (HEAD.matcher(name).matches()) {
      return Optional.of(Role.HEAD);
    }
    return EMBEDDING.matcher(name).matches() ? Optional.of(Role.EMBEDDING) : Optional.empty();
  }
}
