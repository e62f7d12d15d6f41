package io.cafeq.engine.device;

import io.cafeq.engine.compute.Learner;
import java.io.IOException;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;

/** Adds a learner to those that ServiceLoader finds on this thread, until it is closed. */
final class OnClassPath implements AutoCloseable {
  private final Thread thread = Thread.currentThread();
  private final ClassLoader before = thread.getContextClassLoader();
  private final URLClassLoader loader;

  private OnClassPath(Path folder) throws MalformedURLException {
    loader = new URLClassLoader(new URL[] {folder.toUri().toURL()}, before);
    thread.setContextClassLoader(loader);
  }

  /** As a jar of its own would do it, with a file in META-INF/services. */
  static OnClassPath put(Path folder, Class<? extends Learner.Provider> provider)
      throws IOException {
    Path services = Files.createDirectories(folder.resolve("META-INF/services"));
    Files.writeString(
        services.resolve(Learner.Provider.class.getName()), provider.getName() + "\n");
    return new OnClassPath(folder);
  }

  @Override
  public void close() throws IOException {
    thread.setContextClassLoader(before);
    loader.close();
  }
}
