package io.cafeq.engine.export;

/** Receives progress for one export, on the thread that writes it; must return at once. */
public interface ExportProgress {
  /** For exports that nobody watches. */
  ExportProgress NONE =
      new ExportProgress() {
        @Override
        public void begin(long weights) {}

        @Override
        public void advanced(long weights) {}
      };

  /** That many weights will be written. Called once, before the first of them. */
  void begin(long weights);

  /** That many more are written; in the end these add up to what {@link #begin} said. */
  void advanced(long weights);
}
