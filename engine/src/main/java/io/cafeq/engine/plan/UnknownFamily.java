package io.cafeq.engine.plan;

/** A model whose names nobody has looked at: no matrix is taken for one to quantize, to share or to pair. */
record UnknownFamily() implements ModelFamily {
  @Override
  public String name() {
    return "unknown";
  }

  @Override
  public boolean accepts(String modelType) {
    return true;
  }

  @Override
  public Place place(String tensorName) {
    return Place.of(CommonNames.role(tensorName).orElse(Role.OTHER));
  }
}
