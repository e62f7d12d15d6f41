package io.cafeq.engine.family;

/** Why a matrix of the checkpoint keeps its bytes. */
public enum KeptReason {
  EMBEDDINGS("embeddings and output heads"),
  STEERING("routers, gates, norms and other matrices that steer"),
  FAMILY("kept by the family"),
  OTHER_MODALITY("towers and projectors of other modalities"),
  UNUSED_LAYERS("layers that the text model does not run"),
  OUTSIDE("outside the repeated layers"),
  UNREADABLE("in a layout that cannot be read"),
  RECIPE("left alone by the recipe");

  private final String text;

  KeptReason(String text) {
    this.text = text;
  }

  /** Continues "12 % ", for people. */
  public String text() {
    return text;
  }

  /** Whether the matrix is in a layer of the text model and the recipe did not ask to keep it. */
  public boolean isLoss() {
    return switch (this) {
      case STEERING, FAMILY, UNREADABLE -> true;
      case EMBEDDINGS, OTHER_MODALITY, UNUSED_LAYERS, OUTSIDE, RECIPE -> false;
    };
  }
}
