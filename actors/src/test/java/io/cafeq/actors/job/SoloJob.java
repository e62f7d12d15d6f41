package io.cafeq.actors.job;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import io.cafeq.actors.host.EngineHost;
import io.cafeq.actors.host.HostSettings;
import io.cafeq.actors.host.JobHandle;
import io.cafeq.actors.runtime.ActorRuntime;
import io.cafeq.config.Settings;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * A job in a host of its own, as the command line runs it. Every message between its actors goes
 * through a serializer.
 */
final class SoloJob {
  private final JobRequest request;
  private final String version;
  private final Consumer<JobEvent> listener;
  private final JobEngine.Factory engines;
  private final CompletableFuture<JobHandle> submitted = new CompletableFuture<>();

  SoloJob(
      Path source,
      Path output,
      Settings settings,
      String version,
      Consumer<JobEvent> listener,
      JobEngine.Factory engines) {
    this.request = new JobRequest(source.toString(), output, settings);
    this.version = version;
    this.listener = listener;
    this.engines = engines;
  }

  SoloJob(
      Path source, Path output, Settings settings, String version, Consumer<JobEvent> listener) {
    this(source, output, settings, version, listener, ArrowJobEngine::new);
  }

  /** An actor system that serializes what it would not have to. */
  static Config serializing() {
    return ConfigFactory.parseString("pekko.actor.serialize-messages = on")
        .withFallback(ActorRuntime.config());
  }

  JobResult run() {
    try (EngineHost host =
        EngineHost.start(
            HostSettings.of(request.settings().run()),
            version,
            engines,
            ActorRuntime.start(serializing()))) {
      JobHandle job = host.submit(request);
      CompletionStage<?> heard = host.listen(job, listener);
      submitted.complete(job);
      JobResult result = job.result().join();
      heard.toCompletableFuture().get(60, TimeUnit.SECONDS);
      return result;
    } catch (CompletionException e) {
      throw e.getCause() instanceof RuntimeException known ? known : e;
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  /** As soon as it is submitted. */
  void stop() {
    submitted.thenAccept(JobHandle::stop);
  }
}
