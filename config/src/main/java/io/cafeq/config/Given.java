package io.cafeq.config;

import com.typesafe.config.ConfigValue;

/**
 * A value and where it was given.
 *
 * @param origin {@code default}, {@code FILE:LINE} or {@code command line}
 */
record Given(ConfigValue value, String origin) {
  static final String DEFAULT = "default";
  static final String COMMAND_LINE = "command line";
}
