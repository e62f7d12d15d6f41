package io.cafeq.engine.evaluate;

/** Told how far an evaluation is. */
public interface EvaluationWatcher {
  /** Looks at nothing. */
  EvaluationWatcher NONE =
      new EvaluationWatcher() {
        @Override
        public void began(long steps) {}

        @Override
        public void advanced() {}
      };

  /** A part of so many steps begins. */
  void began(long steps);

  /** One step more is done. */
  void advanced();
}
