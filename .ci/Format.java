import com.google.googlejavaformat.java.Formatter;
import com.google.googlejavaformat.java.FormatterException;
import com.google.googlejavaformat.java.JavaFormatterOptions;
import com.google.googlejavaformat.java.StringWrapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.stream.Stream;

/**
 * Formats the Java sources of all modules with google-java-format. The build runs it on the
 * toolchain's JDK, since the formatter parses with the compiler of the JDK that it runs on.
 *
 * <p>{@code fix} rewrites files that changed since its last run, {@code check} rewrites nothing and
 * fails, naming every file that {@code fix} would change.
 */
final class Format {
  private static final List<String> MODULES = List.of("config", "engine", "actors", "tools", ".ci");

  private final Formatter formatter = new Formatter(JavaFormatterOptions.defaultOptions());

  public static void main(String[] arguments) throws IOException {
    Path root = Path.of(arguments[0]);
    Path stamp = root.resolve("target/formatted");
    boolean check = arguments[1].equals("check");
    FileTime last =
        check || Files.notExists(stamp) ? FileTime.fromMillis(0) : Files.getLastModifiedTime(stamp);
    List<Path> different = new Format().format(root, last, !check);
    if (check && !different.isEmpty()) {
      different.forEach(file -> System.err.println("not formatted: " + root.relativize(file)));
      System.err.println("Run: mvn process-sources");
      System.exit(1);
    }
    if (!check) {
      Files.createDirectories(stamp.getParent());
      Files.writeString(stamp, "");
      Files.setLastModifiedTime(stamp, FileTime.fromMillis(System.currentTimeMillis()));
    }
  }

  private List<Path> format(Path root, FileTime since, boolean write) throws IOException {
    List<Path> sources;
    try (Stream<Path> files =
        MODULES.stream().map(root::resolve).flatMap(module -> sources(module, since))) {
      sources = files.toList();
    }
    return sources.parallelStream().filter(file -> differs(file, write)).sorted().toList();
  }

  private static Stream<Path> sources(Path module, FileTime since) {
    try {
      return Files.find(
          module,
          Integer.MAX_VALUE,
          (path, attributes) ->
              path.toString().endsWith(".java")
                  && !path.startsWith(module.resolve("target"))
                  && attributes.lastModifiedTime().compareTo(since) >= 0);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private boolean differs(Path file, boolean write) {
    try {
      String before = Files.readString(file);
      String after = StringWrapper.wrap(formatter.formatSourceAndFixImports(before), formatter);
      boolean differs = !before.equals(after);
      if (differs && write) {
        Files.writeString(file, after);
      }
      return differs;
    } catch (IOException | FormatterException e) {
      throw new IllegalStateException(file + ": " + e.getMessage(), e);
    }
  }
}
