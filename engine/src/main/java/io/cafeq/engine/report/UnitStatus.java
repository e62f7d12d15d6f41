package io.cafeq.engine.report;

/** Status of a unit. */
public enum UnitStatus {
  /** Made by this run. */
  DONE("done"),
  /** Made by an earlier run, found intact by this one. */
  KEPT("kept"),
  /** This run could not make it. */
  FAILED("failed"),
  /** Not started before the run ended. */
  MISSING("missing");

  private final String text;

  UnitStatus(String text) {
    this.text = text;
  }

  /** The name in reports. */
  public String text() {
    return text;
  }

  @Override
  public String toString() {
    return text;
  }
}
