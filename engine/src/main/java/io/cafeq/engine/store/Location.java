package io.cafeq.engine.store;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.text.VisibleText;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Where a checkpoint is, as people write it. {@link #parse} is the one place that reads it. */
public sealed interface Location {
  /** A folder or a file on this machine. */
  record Local(Path path) implements Location {}

  /** Behind an address: in this process's memory it is never held whole. */
  sealed interface Remote extends Location {}

  /**
   * A folder or a file behind https, or behind http on this machine.
   *
   * @param address without user, query and fragment
   */
  record Web(URI address) implements Remote {}

  /**
   * A repository of a model hub.
   *
   * @param model {@code ORGANIZATION/MODEL}
   * @param revision a branch, a tag or a commit
   */
  record Hub(String model, String revision) implements Remote {}

  /** What can be written. */
  String FORMS =
      "Give a folder or a .safetensors file, https://HOST/PATH/, or hf://ORGANIZATION/MODEL with"
          + " @REVISION where it is not main.";

  /** Reads a location; throws with kind USAGE where it is none. */
  static Location parse(String text) {
    Matcher scheme = Pattern.compile("([A-Za-z][A-Za-z0-9+.-]*)://").matcher(text);
    if (!scheme.lookingAt()) {
      return new Local(path(text));
    }
    return switch (scheme.group(1).toLowerCase(Locale.ROOT)) {
      case "hf" -> hub(text);
      case "https", "http" -> web(text);
      default -> throw usage(text, "nothing can be read from addresses of this kind");
    };
  }

  private static Path path(String text) {
    try {
      return Path.of(text);
    } catch (InvalidPathException e) {
      throw usage(text, "is neither a path nor an address");
    }
  }

  private static Hub hub(String text) {
    String name = "[A-Za-z0-9][\\w.-]{0,95}";
    Matcher parts =
        Pattern.compile("(?i:hf)://(" + name + "/" + name + ")/?(?:@([\\w./-]{1,250}))?")
            .matcher(text);
    if (!parts.matches() || text.contains("..")) {
      throw usage(text, "expected hf://ORGANIZATION/MODEL or hf://ORGANIZATION/MODEL@REVISION");
    }
    return new Hub(parts.group(1), parts.group(2) == null ? "main" : parts.group(2));
  }

  private static Web web(String text) {
    URI address;
    try {
      address = new URI(text);
    } catch (URISyntaxException e) {
      throw usage(text, "is not an address: " + e.getReason());
    }
    if (address.getHost() == null) {
      throw usage(text, "the address names no host");
    }
    if (address.getRawUserInfo() != null
        || address.getRawQuery() != null
        || address.getRawFragment() != null) {
      // without the text: these parts of addresses hold secrets
      throw usage(
          address.getScheme() + "://" + address.getHost(),
          "the address of a folder has neither a user nor a query nor a fragment");
    }
    if (address.getScheme().equalsIgnoreCase("http") && !isLoopback(address)) {
      throw new EngineException(
          FailureKind.USAGE,
          VisibleText.quoted(text) + ": plain http is read from this machine only",
          "Give an https:// address.");
    }
    return new Web(address.normalize());
  }

  /** Whether the address is one of this machine. */
  static boolean isLoopback(URI address) {
    String host = address.getHost();
    return host != null
        && (host.equalsIgnoreCase("localhost")
            || host.equals("[::1]")
            || host.matches("127\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}"));
  }

  private static EngineException usage(String text, String what) {
    return new EngineException(FailureKind.USAGE, VisibleText.quoted(text) + ": " + what, FORMS);
  }
}
