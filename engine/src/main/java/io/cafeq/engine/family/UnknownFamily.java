package io.cafeq.engine.family;

import java.util.regex.Pattern;

/**
 * A model whose names nobody has looked at: every matrix that is not called an embedding, a norm, a router or the like is
 * quantized by itself; nothing is shared and nothing is paired.
 */
record UnknownFamily() implements ModelFamily {
  private static final Pattern WEIGHT = Pattern.compile("(.*[._])?weight");
  /** What is looked up, decides or ends the model, as far as names tell: rounding it does more harm than good. */
  private static final Pattern LEFT_ALONE = Pattern.compile(
      ".*(embed|position|token_type|relative|bias|vocab|codebook|norm|router|classifier).*|(.*[._])?(gate|head|score)[._]weight",
      Pattern.CASE_INSENSITIVE);

  @Override
  public String name() {
    return "unknown";
  }

  @Override
  public boolean isKnown() {
    return false;
  }

  @Override
  public boolean accepts(String modelType) {
    return true;
  }

  @Override
  public Place place(String tensorName) {
    return Place.of(CommonNames.role(tensorName).orElseGet(() -> looksLikeMatrix(tensorName) ? Role.MATRIX : Role.OTHER));
  }

  private static boolean looksLikeMatrix(String name) {
    return WEIGHT.matcher(name).matches() && !LEFT_ALONE.matcher(name).matches();
  }
}
