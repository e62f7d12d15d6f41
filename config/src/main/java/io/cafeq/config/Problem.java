package io.cafeq.config;

/**
 * One problem with the settings.
 *
 * @param key the setting, such as {@code recipe.bits}
 * @param origin where it was given: {@code FILE:LINE} or {@code command line}
 * @param found what was given
 * @param expected what would have been accepted
 * @param remedy one sentence that says what to do
 */
public record Problem(String key, String origin, String found, String expected, String remedy) {
  @Override
  public String toString() {
    return "%s (%s): expected %s, found %s. %s".formatted(key, origin, expected, found, remedy);
  }
}
