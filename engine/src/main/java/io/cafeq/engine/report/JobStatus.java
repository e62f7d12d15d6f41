package io.cafeq.engine.report;

/** How a job ended. */
public enum JobStatus {
  /** Every unit is done and the manifest is written. */
  COMPLETE("complete"),
  /** At least one unit is missing; there is no manifest. */
  PARTIAL("partial"),
  /** Stopped on request before all units were done; there is no manifest. */
  STOPPED("stopped");

  private final String text;

  JobStatus(String text) {
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
