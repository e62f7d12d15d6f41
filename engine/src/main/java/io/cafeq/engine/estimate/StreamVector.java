package io.cafeq.engine.estimate;

import java.util.Locale;

/** What the first pass gathers of a layer, each a vector over the channels of the stream. */
public enum StreamVector {
  /** Sums of squares of the columns of queries. */
  QUERIES,
  /** Sums of squares of the columns of values. */
  VALUES,
  /** Sums of squares of the columns of gates, experts by their use. */
  GATES,
  /** Sums of squares of the columns of ups, experts by their use. */
  UPS,
  /** Squared gain of the norm before the attention. */
  ATTENTION_GAIN,
  /** Squared gain of the norm before the feed-forward part. */
  FEED_FORWARD_GAIN,
  /** Sums of squares of the rows of all that writes to the stream, norms after it included. */
  WRITTEN;

  /** The name in files. */
  public String text() {
    return name().toLowerCase(Locale.ROOT);
  }
}
