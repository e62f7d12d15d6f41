package io.cafeq.tools;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Objects;
import java.util.Properties;
import picocli.CommandLine;

/** The version that the build wrote into the program. */
final class Version implements CommandLine.IVersionProvider {
  /** Such as {@code 0.1.0}. */
  static String current() {
    Properties properties = new Properties();
    try (InputStream in =
        Objects.requireNonNull(Version.class.getResourceAsStream("version.properties"))) {
      properties.load(in);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return Objects.requireNonNull(properties.getProperty("version"));
  }

  @Override
  public String[] getVersion() {
    return new String[] {"cafeq " + current()};
  }
}
