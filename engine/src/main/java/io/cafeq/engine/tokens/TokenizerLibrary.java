package io.cafeq.engine.tokens;

import ai.djl.huggingface.tokenizers.jni.LibUtils;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.io.IOException;
import java.io.InputStream;
import java.util.Objects;
import java.util.Properties;

/**
 * The native tokenizers. DJL's jar has them for Linux (x86-64, aarch64), macOS (aarch64) and
 * Windows (x86-64), the distribution for Linux on x86-64 alone; glibc 2.17 or newer. They are
 * unpacked once into the folder that the property ENGINE_CACHE_DIR names. Their entry points are
 * called directly: DJL's own classes report their use to its makers, and these do not.
 */
public final class TokenizerLibrary {
  private static final String OFFLINE = "ai.djl.offline";
  private static final String PROPERTIES = "/native/lib/tokenizers.properties";

  private TokenizerLibrary() {}

  /**
   * Loads the library, which stays loaded. Any number of calls, from any thread.
   *
   * @return what was loaded, in words
   * @throws EngineException with kind ENVIRONMENT where it does not work here
   */
  public static String load() {
    // Where the machine has a GPU the loader would otherwise fetch another build of the library
    // from the network.
    System.setProperty(OFFLINE, "true");
    try {
      LibUtils.checkStatus();
      return "Hugging Face tokenizers" + version();
    } catch (RuntimeException | LinkageError e) {
      throw new EngineException(
          FailureKind.ENVIRONMENT,
          "the tokenizers library cannot be loaded: " + reason(e),
          "Use Linux with glibc on x86-64, and check that the cache folder"
              + " (XDG_CACHE_HOME, or .cache in the home folder) can be written and has 20 MB"
              + " free.",
          e);
    }
  }

  /** The entry points, once {@link #load} has returned. */
  static TokenizersLibrary entryPoints() {
    return TokenizersLibrary.LIB;
  }

  private static String version() {
    Properties properties = new Properties();
    try (InputStream file = TokenizersLibrary.class.getResourceAsStream(PROPERTIES)) {
      if (file != null) {
        properties.load(file);
      }
    } catch (IOException unreadable) {
      return "";
    }
    return properties.containsKey("version") ? " " + properties.getProperty("version") : "";
  }

  private static String reason(Throwable failure) {
    Throwable deepest = failure;
    while (deepest.getCause() != null) {
      deepest = deepest.getCause();
    }
    return Objects.requireNonNullElse(deepest.getMessage(), deepest.toString());
  }
}
