package io.cafeq.engine.checkpoint;

/**
 * A file or folder beside the weights that does not travel with other weights.
 *
 * @param name relative to the checkpoint's root
 */
public record LeftOut(String name, Reason reason) {
  /** Why. The text continues "NAME: ". */
  public enum Reason {
    WEIGHTS("other weights"),
    QUANTIZATION("describes how the source is quantized"),
    ADAPTER("belongs to an adapter for the source's weights"),
    HIDDEN("hidden"),
    LARGE("larger than 64 MiB"),
    NO_FILE("a link to a folder or to nothing"),
    MANY("more files or folders than are taken along");

    private final String text;

    Reason(String text) {
      this.text = text;
    }

    /** For people. */
    public String text() {
      return text;
    }
  }
}
