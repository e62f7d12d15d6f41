package io.cafeq.actors.job;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.checkpoint.DurableFile;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.output.StoredUnits;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.quantize.Progress;
import io.cafeq.engine.quantize.UnitMemory;
import io.cafeq.engine.receipt.ErrorFigures;
import io.cafeq.engine.receipt.JobIdentity;
import io.cafeq.engine.receipt.UnitFigures;
import io.cafeq.engine.receipt.UnitReceipt;
import io.cafeq.engine.result.ResultLayout;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The smallest engine that keeps all promises: units are files of the tensors' bytes under a
 * checked header.
 */
class CopyEngine implements JobEngine {
  /** Comes between a unit's begin and its file. */
  @FunctionalInterface
  interface Interlude {
    void before(Unit unit, StopFlag stop);
  }

  private static final JsonMapper MAPPER = JsonMapper.builder().build();
  private static final int DIGEST = 64;

  private final Checkpoint checkpoint;
  private final JobIdentity identity;
  private final Interlude interlude;
  private final long extraBytes;

  CopyEngine(Work work, Interlude interlude, long extraBytes) {
    this.checkpoint = work.checkpoint();
    this.identity = new JobIdentity(work.recipe().hash(), JobIdentity.ALGORITHM_VERSION);
    this.interlude = interlude;
    this.extraBytes = extraBytes;
  }

  static Factory with(Interlude interlude) {
    return work -> new CopyEngine(work, interlude, 0);
  }

  /** Whose units claim that many bytes more of memory and of disk. */
  static Factory needing(long bytes) {
    return work -> new CopyEngine(work, (unit, stop) -> {}, bytes);
  }

  @Override
  public UnitMemory memoryNeeded(Unit unit) {
    return new UnitMemory(bytes(unit) + extraBytes, 0);
  }

  @Override
  public long diskNeeded(Unit unit) {
    return bytes(unit) + extraBytes;
  }

  @Override
  public StoredUnits stored(StopFlag stop) {
    return this::read;
  }

  @Override
  public Names names() {
    return new Names("copy", "plain");
  }

  @Override
  public Lane openLane(Path output, StopFlag stop) {
    return new Lane() {
      @Override
      public UnitReceipt run(Unit unit, Progress progress) {
        interlude.before(unit, stop);
        return make(unit, new ResultLayout(output).unit(unit.id()), progress);
      }

      @Override
      public void close() {}
    };
  }

  private UnitReceipt make(Unit unit, Path file, Progress progress) {
    SortedMap<String, String> sources = new TreeMap<>();
    ByteArrayOutputStream data = new ByteArrayOutputStream();
    try (Arena arena = Arena.ofConfined()) {
      for (PlannedTensor tensor : unit.tensors()) {
        TensorInfo info = tensor.info();
        MemorySegment segment = arena.allocate(info.bytes());
        checkpoint.read(info, 0, segment);
        byte[] bytes = segment.toArray(ValueLayout.JAVA_BYTE);
        sources.put(info.name(), sha256(bytes));
        data.writeBytes(bytes);
        progress.advanced(info.elements());
      }
    }
    byte[] content = content(header(unit, sources), data.toByteArray());
    DurableFile.write(file, content);
    return receipt(unit, content, sources, 0.5);
  }

  private UnitReceipt read(Unit unit, Path file) {
    byte[] content;
    try {
      content = Files.readAllBytes(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    int end = content.length - DIGEST;
    if (end < 0
        || !sha256(Arrays.copyOf(content, end))
            .equals(new String(content, end, DIGEST, StandardCharsets.US_ASCII))) {
      throw new EngineException(FailureKind.RESULT, file + " is damaged", "Make it again.");
    }
    String text = new String(content, 0, end, StandardCharsets.ISO_8859_1);
    SortedMap<String, String> sources = new TreeMap<>();
    try {
      JsonNode header = MAPPER.readTree(text.substring(0, text.indexOf('\n')));
      if (!header.path("recipe").asText().equals(identity.recipeHash())) {
        throw new EngineException(
            FailureKind.RESULT, file + " has another recipe", "Make it again.");
      }
      header
          .path("sources")
          .properties()
          .forEach(entry -> sources.put(entry.getKey(), entry.getValue().asText()));
    } catch (JsonProcessingException e) {
      throw new EngineException(FailureKind.RESULT, file + " is damaged", "Make it again.", e);
    }
    return receipt(unit, content, sources, 0);
  }

  private String header(Unit unit, SortedMap<String, String> sources) {
    ObjectNode header =
        MAPPER.createObjectNode().put("id", unit.id()).put("recipe", identity.recipeHash());
    sources.forEach(header.withObjectProperty("sources")::put);
    return header + "\n";
  }

  private static byte[] content(String header, byte[] data) {
    byte[] head = header.getBytes(StandardCharsets.UTF_8);
    ByteBuffer content =
        ByteBuffer.allocate(head.length + data.length + DIGEST).put(head).put(data);
    String digest = sha256(Arrays.copyOf(content.array(), head.length + data.length));
    return content.put(digest.getBytes(StandardCharsets.US_ASCII)).array();
  }

  private static UnitReceipt receipt(
      Unit unit, byte[] content, SortedMap<String, String> sources, double seconds) {
    return new UnitReceipt(
        unit.id(),
        "units/" + unit.id() + ".arrow",
        content.length,
        sha256(content),
        sources,
        "copy/plain",
        figures(unit),
        seconds);
  }

  private static @Nullable UnitFigures figures(Unit unit) {
    return switch (unit) {
      case Unit.Copied copied -> null;
      case Unit.Quantized quantized -> {
        ErrorFigures exact = new ErrorFigures(0, 8 * bytes(unit));
        ErrorFigures plain = new ErrorFigures(unit.weights() / 100.0, 4 * unit.weights());
        yield new UnitFigures(
            unit.weights(), unit.weights(), exact, plain, plain, plain, false, "as it is");
      }
    };
  }

  private static long bytes(Unit unit) {
    return unit.tensors().stream().map(PlannedTensor::info).mapToLong(TensorInfo::bytes).sum();
  }

  private static String sha256(byte[] bytes) {
    MessageDigest digest = Digests.sha256();
    digest.update(bytes);
    return Digests.hex(digest);
  }
}
