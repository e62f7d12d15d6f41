package io.cafeq.engine.export.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;
import static org.assertj.core.api.Assertions.tuple;

import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.block.SampleResult;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.LayoutKind;
import io.cafeq.engine.checkpoint.LayoutSamples;
import io.cafeq.engine.checkpoint.LayoutSamples.Stored;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.checkpoint.ShardedWriter;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.TensorSource;
import io.cafeq.engine.checkpoint.WeightLayout;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.checkpoint.WeightTensors.Reading;
import io.cafeq.engine.export.ExportProgress;
import io.cafeq.engine.export.ExportRequest;
import io.cafeq.engine.export.Exported;
import io.cafeq.engine.export.Exports;
import io.cafeq.engine.export.LeftBehind;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.result.ResultLayout;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DenseExportTest {
  /** Where only headers matter. */
  private static final TensorSource NOTHING =
      new TensorSource() {
        @Override
        public void read(TensorInfo tensor, long offset, MemorySegment target) {
          throw new IllegalStateException(tensor.name());
        }

        @Override
        public String place(TensorInfo tensor) {
          return tensor.name();
        }
      };

  @TempDir Path folder;

  @Test
  void theExportIsAnOrdinaryCheckpointOfTheEffectiveWeights() throws IOException {
    SampleResult sample = SampleResult.make(folder);
    Path out = folder.resolve("out");
    export(sample.result, out);
    try (Checkpoint exported = Checkpoint.open(out);
        Checkpoint source = Checkpoint.open(sample.source);
        ResultReader result = ResultReader.open(sample.result)) {
      assertThat(exported.aliases()).isEqualTo(source.aliases());
      assertThat(exported.tensors()).isEqualTo(source.tensors());
      assertThat(out.resolve("extra/template.txt")).hasContent("hello");
      for (TensorInfo info : exported.tensors()) {
        if (result.header(info.name()).isRaw()) {
          assertThat(bytes(exported, info)).isEqualTo(bytes(source, info));
        } else {
          result.forEachSlab(
              info.name(), (firstRow, weights) -> compare(exported, info, (int) firstRow, weights));
        }
      }
    }
    assertThat(Files.exists(folder.resolve("out.export-part"))).isFalse();
  }

  /**
   * The sample's tensors with layouts of other sources: the export differs from the usual one by
   * these alone.
   */
  @Test
  void everyTensorGetsTheFormOfItsSourcesLayout() throws IOException {
    SampleResult sample = SampleResult.make(folder);
    Map<String, LayoutKind> layouts =
        Map.of(
            "a.q.weight",
            LayoutKind.TRANSPOSED,
            "b.down.weight",
            LayoutKind.TRANSPOSED,
            "a.k.weight",
            LayoutKind.TILED,
            "c.plain.weight",
            LayoutKind.MICRO_SCALED);
    Path usual = folder.resolve("usual");
    Path out = folder.resolve("out");
    export(sample.result, usual);
    Exports.run(
        new DenseExport(header -> layouts.getOrDefault(header.name(), LayoutKind.PLAIN)),
        new ExportRequest(sample.result, "dense", out, Map.of()),
        new StopFlag(),
        ExportProgress.NONE);
    try (Checkpoint expected = Checkpoint.open(usual);
        Checkpoint exported = Checkpoint.open(out);
        Arena arena = Arena.ofConfined();
        ResultReader result = ResultReader.open(sample.result)) {
      assertThat(exported.tensors()).hasSameSizeAs(expected.tensors());
      for (TensorInfo info : expected.tensors()) {
        TensorInfo found = exported.tensor(info.name()).orElseThrow();
        LayoutKind layout = layouts.getOrDefault(info.name(), LayoutKind.PLAIN);
        boolean isTurned = layout == LayoutKind.TRANSPOSED || layout == LayoutKind.MICRO_SCALED;
        assertThat(found.dtype()).isEqualTo(layout.isQuantized() ? Dtype.BF16 : info.dtype());
        assertThat(found.shape()).isEqualTo(isTurned ? info.shape().reversed() : info.shape());
        if (layout == LayoutKind.TRANSPOSED) {
          FloatMatrix before = FloatMatrix.allocate(arena, info.rows(), info.columns());
          FloatMatrix after = FloatMatrix.allocate(arena, info.rows(), info.columns());
          expected.readFloats(info, 0, 0, before);
          exported.readFloats(new WeightTensor(found, new WeightLayout.Transposed()), 0, 0, after);
          assertThat(after.segment().mismatch(before.segment())).isEqualTo(-1);
        } else if (layout == LayoutKind.PLAIN) {
          assertThat(bytes(exported, found)).isEqualTo(bytes(expected, info));
        } else {
          result.forEachSlab(
              info.name(),
              (firstRow, weights) -> {
                FloatMatrix after = FloatMatrix.allocate(arena, weights.rows(), weights.columns());
                exported.readFloats(
                    new WeightTensor(
                        found, isTurned ? new WeightLayout.Transposed() : new WeightLayout.Plain()),
                    (int) firstRow,
                    0,
                    after);
                for (int i = 0; i < weights.elements(); i++) {
                  float effective = weights.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i);
                  assertThat(after.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i))
                      .isCloseTo(effective, offset(Math.abs(effective) * 0x1p-8f));
                }
              });
        }
      }
    }
    assertThat(out.resolve("turned.tmp")).doesNotExist();
  }

  @Test
  void denseFormsKeepWhatTheyCan() {
    Entry blocks =
        DenseForm.of(
            LayoutKind.MICRO_SCALED, "e.gate_up_proj_blocks", Dtype.U8, List.of(4L, 6L, 64L));
    assertThat(blocks).isEqualTo(new Entry("e.gate_up_proj", Dtype.BF16, List.of(4L, 64L, 6L)));
    assertThat(DenseForm.of(LayoutKind.TILED, "w", Dtype.F8_E4M3, List.of(4L, 6L)))
        .isEqualTo(new Entry("w", Dtype.BF16, List.of(4L, 6L)));
    assertThat(DenseForm.of(LayoutKind.TRANSPOSED, "w", Dtype.F16, List.of(4L, 6L)))
        .isEqualTo(new Entry("w", Dtype.F16, List.of(6L, 4L)));
    assertThat(DenseForm.of(LayoutKind.PLAIN, "w_blocks", Dtype.F16, List.of(3L, 4L, 6L)))
        .isEqualTo(new Entry("w_blocks", Dtype.F16, List.of(3L, 4L, 6L)));
  }

  private static byte[] bytes(Checkpoint checkpoint, TensorInfo info) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment segment = arena.allocate(Math.max(1, info.bytes())).asSlice(0, info.bytes());
      checkpoint.read(info, 0, segment);
      return segment.toArray(ValueLayout.JAVA_BYTE);
    }
  }

  /**
   * Nearest to even: no neighbour in the type is closer, so half a unit in the last place bounds
   * the difference.
   */
  private static void compare(
      Checkpoint exported, TensorInfo info, int firstRow, FloatMatrix weights) {
    double unit =
        switch (info.dtype()) {
          case BF16 -> 0x1p-8;
          case F16 -> 0x1p-11;
          default -> 0;
        };
    try (Arena arena = Arena.ofConfined()) {
      FloatMatrix found = FloatMatrix.allocate(arena, weights.rows(), weights.columns());
      exported.readFloats(info, firstRow, 0, found);
      for (int i = 0; i < weights.elements(); i++) {
        float effective = weights.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i);
        double difference =
            Math.abs((double) found.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i) - effective);
        assertThat(difference).isLessThanOrEqualTo(unit * Math.max(0x1p-14, Math.abs(effective)));
      }
    }
  }

  @Test
  void aSingleFileGetsTheNameThatLoadersLookFor() {
    Manifest.TensorEntry one =
        new Manifest.TensorEntry(
            "w", Dtype.F16, List.of(1L), "model-00001-of-00001.safetensors", "u");
    Manifest.TensorEntry other =
        new Manifest.TensorEntry("v", Dtype.F16, List.of(1L), "b.safetensors", "u");
    assertThat(files(one)).containsExactly("model.safetensors");
    assertThat(files(one, other))
        .containsExactly("model-00001-of-00001.safetensors", "b.safetensors");
  }

  private static List<String> files(Manifest.TensorEntry... tensors) {
    List<DenseTensors.Held> held = Stream.of(tensors).map(DenseExportTest::kept).toList();
    return new DenseTensors(
            held,
            TensorHeader::layout,
            WeightPacking.DENSE,
            new JsonMapper().createObjectNode(),
            NOTHING)
        .shards().stream().map(ShardedWriter.Shard::file).toList();
  }

  private static DenseTensors.Held kept(Manifest.TensorEntry entry) {
    TensorInfo info =
        new TensorInfo(entry.name(), entry.dtype(), entry.shape(), entry.file(), 0, 0);
    return new DenseTensors.Held(entry, TensorHeader.copied(info));
  }

  /** Weights that were quantized by others before, and that a result holds as they were. */
  @Test
  void packedWeightsThatKeptTheirBytesAreUnpackedToo() throws IOException {
    Random random = new Random(3);
    Stored tiled = LayoutSamples.random("a.weight", Dtype.F8_E4M3, List.of(130L, 40L), random);
    Stored tiles = LayoutSamples.random("a.weight_scale_inv", Dtype.BF16, List.of(3L, 3L), random);
    Stored blocks = LayoutSamples.random("e.up_blocks", Dtype.U8, List.of(2L, 6L, 2L, 16L), random);
    Stored scales =
        new Stored(
            "e.up_scales",
            Dtype.U8,
            List.of(2L, 6L, 2L),
            LayoutSamples.random("e.up_scales", Dtype.F8_E8M0, List.of(2L, 6L, 2L), random)
                .bytes());
    Stored norm = LayoutSamples.random("n.weight", Dtype.BF16, List.of(40L), random);
    Path source =
        LayoutSamples.write(
            folder.resolve("source"), List.of(tiled, scales), List.of(tiles, blocks, norm));
    Files.writeString(
        source.resolve("config.json"),
        "{\"a\": 1e-06, \"quantization_config\": {\"weight_block_size\": [64, 16]}}");
    Path result = SampleResult.copy(source, folder.resolve("result"));
    Path out = folder.resolve("out");
    export(result, out);
    assertThat(out.resolve("config.json")).hasContent("{\"a\": 1e-06}");
    try (Stream<Path> files = Files.list(out)) {
      assertThat(files.map(file -> file.getFileName().toString()))
          .containsExactlyInAnyOrder(
              "cafeq-export.json",
              "config.json",
              "model.safetensors.index.json",
              "shard-0.safetensors",
              "shard-1.safetensors");
    }
    try (Checkpoint exported = Checkpoint.open(out);
        Checkpoint before = Checkpoint.open(source);
        Arena arena = Arena.ofConfined()) {
      assertThat(exported.tensors())
          .extracting(TensorInfo::name, TensorInfo::dtype, TensorInfo::shape)
          .containsExactlyInAnyOrder(
              tuple("a.weight", Dtype.BF16, List.of(130L, 40L)),
              tuple("e.up", Dtype.BF16, List.of(2L, 64L, 6L)),
              tuple("n.weight", Dtype.BF16, List.of(40L)));
      for (String name : List.of("a.weight", "e.up_blocks")) {
        Reading reading = before.weights().read(before.tensor(name).orElseThrow(), false);
        WeightTensor weight = ((Reading.Weights) reading).weight();
        boolean isStack = weight.isStack();
        FloatMatrix found = FloatMatrix.allocate(arena, weight.allRows(), weight.columns());
        exported.readFloats(
            new WeightTensor(
                exported.tensor(isStack ? "e.up" : name).orElseThrow(),
                isStack ? new WeightLayout.Transposed() : new WeightLayout.Plain()),
            0,
            0,
            found);
        for (int row = 0; row < found.rows(); row++) {
          for (int column = 0; column < found.columns(); column++) {
            float expected =
                LayoutSamples.expected(
                    weight, isStack ? blocks : tiled, isStack ? scales : tiles, row, column);
            assertThat(found.get(row, column))
                .isCloseTo(expected, offset(Math.abs(expected) * 0x1p-8f));
          }
        }
      }
      assertThat(bytes(exported, exported.tensor("n.weight").orElseThrow()))
          .isEqualTo(norm.bytes());
    }
  }

  @Test
  void twoTensorsOfOneNameAreRefused() {
    Manifest.TensorEntry blocks =
        new Manifest.TensorEntry("w_blocks", Dtype.U8, List.of(1L, 4L, 2L, 16L), "f", "u");
    Manifest.TensorEntry scales =
        new Manifest.TensorEntry("w_scales", Dtype.U8, List.of(1L, 4L, 2L), "f", "u");
    Manifest.TensorEntry other = new Manifest.TensorEntry("w", Dtype.F16, List.of(1L), "f", "u");
    assertThatThrownBy(
            () ->
                new DenseTensors(
                    List.of(kept(blocks), kept(scales), kept(other)),
                    TensorHeader::layout,
                    WeightPacking.DENSE,
                    new JsonMapper().createObjectNode(),
                    NOTHING))
        .isInstanceOf(EngineException.class)
        .hasMessageContaining("w_blocks and w would both be exported as w");
  }

  /**
   * Static scales of activations and caches mean nothing beside plain weights, and neither does
   * what speaks of them.
   */
  @Test
  void nothingIsLeftOfTheSourcesQuantization() throws IOException {
    Random random = new Random(4);
    Path source =
        LayoutSamples.write(
            folder.resolve("source"),
            List.of(
                LayoutSamples.random("m.k_proj.weight", Dtype.F8_E4M3, List.of(130L, 40L), random),
                LayoutSamples.random("m.k_proj.weight_scale", Dtype.F32, List.of(), random),
                LayoutSamples.random("m.k_proj.input_scale", Dtype.F32, List.of(), random),
                LayoutSamples.random("m.k_proj.k_scale", Dtype.F32, List.of(1L), random),
                LayoutSamples.random("m.k_proj.activation_scale", Dtype.BF16, List.of(), random)),
            List.of(
                LayoutSamples.random("m.attn.k_scale", Dtype.BF16, List.of(40L), random),
                LayoutSamples.random("m.input_layernorm.weight", Dtype.BF16, List.of(40L), random),
                LayoutSamples.random("m.logit_scale", Dtype.BF16, List.of(), random)));
    Files.writeString(
        source.resolve("config.json"),
        """
        {"torch_dtype": "float8_e4m3fn", "quantization_config": {"quant_method": "fp8"},
         "text_config": {"x": 1, "quantization": {"bits": 8}}}\
        """);
    Files.writeString(
        source.resolve("params.json"),
        "{\"dim\": 1, \"quantization\": {\"qformat_weight\": \"fp8\"}}");
    Files.writeString(source.resolve("generation_config.json"), "{ \"top_k\" : 5 }");
    Files.writeString(source.resolve("hf_quant_config.json"), "{}");
    Path result = SampleResult.copy(source, folder.resolve("result"));
    assertThat(result.resolve("hf_quant_config.json")).doesNotExist();
    assertThat(result.resolve("config.json")).hasSameBinaryContentAs(source.resolve("config.json"));
    assertThat(result.resolve("params.json")).hasSameBinaryContentAs(source.resolve("params.json"));
    Path out = folder.resolve("out");
    Exported done = export(result, out);
    try (Checkpoint exported = Checkpoint.open(out)) {
      assertThat(exported.tensors())
          .extracting(TensorInfo::name)
          .containsExactlyInAnyOrder(
              "m.k_proj.weight", "m.attn.k_scale", "m.input_layernorm.weight", "m.logit_scale");
    }
    assertThat(done.tensors()).isEqualTo(4);
    assertThat(done.warnings()).isEmpty();
    assertThat(out.resolve("config.json"))
        .hasContent(
            """
            {"torch_dtype": "bfloat16", "text_config": {"x": 1}}\
            """);
    assertThat(out.resolve("params.json")).hasContent("{\"dim\": 1}");
    assertThat(out.resolve("generation_config.json")).hasContent("{ \"top_k\" : 5 }");
    assertThat(done.leftBehind())
        .extracting(LeftBehind::what)
        .containsExactlyInAnyOrder(
            "1 tensor weight_scale",
            "1 tensor activation_scale",
            "1 tensor input_scale",
            "1 tensor k_scale",
            "config.json: quantization_config",
            "config.json: text_config.quantization",
            "config.json: torch_dtype",
            "params.json: quantization");
  }

  /** A program that knows the method needs all of it, and is told so. */
  @Test
  void whatDescribesWeightsThatStayPackedStays() throws IOException {
    Random random = new Random(5);
    Path source =
        LayoutSamples.write(
            folder.resolve("source"),
            List.of(
                LayoutSamples.random("m.qweight", Dtype.I32, List.of(5L, 40L), random),
                LayoutSamples.random("m.input_scale", Dtype.F32, List.of(), random)),
            List.of(LayoutSamples.random("n.weight", Dtype.BF16, List.of(40L), random)));
    Files.writeString(
        source.resolve("config.json"), "{\"quantization_config\": {\"quant_method\": \"gptq\"}}");
    Files.writeString(source.resolve("quantize_config.json"), "{\"bits\": 4}");
    Path result = SampleResult.copy(source, folder.resolve("result"));
    Path out = folder.resolve("out");
    Exported done = export(result, out);
    assertThat(out.resolve("config.json")).hasSameBinaryContentAs(source.resolve("config.json"));
    assertThat(out.resolve("quantize_config.json")).hasContent("{\"bits\": 4}");
    assertThat(done.tensors()).isEqualTo(3);
    assertThat(done.leftBehind()).isEmpty();
    assertThat(done.warnings())
        .singleElement()
        .asString()
        .contains("1 tensor stays", "\"m.qweight\"");
  }

  @Test
  void foldersInUseAreRefused() throws IOException {
    SampleResult sample = SampleResult.make(folder);
    usage(sample.result, sample.result.resolve("inside"), "one another");
    usage(sample.result, folder, "one another");
    usage(sample.result, sample.source, "not empty");
    Files.delete(sample.result.resolve(ResultLayout.MANIFEST));
    assertThatThrownBy(() -> export(sample.result, folder.resolve("o")))
        .hasMessageContaining("partial");
    assertThat(folder.resolve("o")).doesNotExist();
  }

  @Test
  void aStoppedExportLeavesNothingAndAnEmptyFolderIsTaken() throws IOException {
    SampleResult sample = SampleResult.make(folder);
    Path out = Files.createDirectory(folder.resolve("out"));
    StopFlag stop = new StopFlag();
    assertThatThrownBy(
            () ->
                Exports.run(
                    new ExportRequest(sample.result, "dense", out, Map.of()),
                    stop,
                    new Counted() {
                      @Override
                      public void advanced(long weights) {
                        stop.stop();
                      }
                    }))
        .isInstanceOfSatisfying(
            EngineException.class, e -> assertThat(e.kind()).isEqualTo(FailureKind.STOPPED));
    assertThat(out).isEmptyDirectory();
    assertThat(folder.resolve("out.export-part")).doesNotExist();
    export(sample.result, out);
    assertThat(out.resolve("model.safetensors.index.json")).exists();
  }

  @Test
  void weightsThatDoNotFitTheirTypeAreAnErrorThatNamesThem() {
    try (Arena arena = Arena.ofConfined()) {
      FloatMatrix weights = FloatMatrix.allocate(arena, 2, 3);
      weights.set(1, 2, 70000f);
      WeightEncoder encoder = new WeightEncoder(arena);
      assertThatThrownBy(
              () ->
                  encoder.encode(
                      new Entry("w", Dtype.F16, List.of(10L, 3L)), 5, weights, piece -> {}))
          .isInstanceOf(EngineException.class)
          .hasMessageContaining("tensor w, row 6, column 2: the weight 70000.0");
      encoder.encode(
          new Entry("w", Dtype.BF16, List.of(10L, 3L)),
          5,
          weights,
          piece -> assertThat(piece.byteSize()).isEqualTo(12));
    }
  }

  private static Exported export(Path result, Path out) {
    Counted counted = new Counted();
    Exported exported =
        Exports.run(new ExportRequest(result, "dense", out, Map.of()), new StopFlag(), counted);
    try (Checkpoint checkpoint = Checkpoint.open(out)) {
      List<TensorInfo> tensors = checkpoint.tensors();
      assertThat(exported.tensors()).isEqualTo(tensors.size());
      assertThat(exported.bytes()).isEqualTo(tensors.stream().mapToLong(TensorInfo::bytes).sum());
      assertThat(counted.all)
          .isEqualTo(tensors.stream().mapToLong(TensorInfo::elements).sum())
          .isEqualTo(counted.done);
    }
    return exported;
  }

  private static class Counted implements ExportProgress {
    private long all = -1;
    private long done;

    @Override
    public void begin(long weights) {
      assertThat(all).as("begins once").isEqualTo(-1);
      all = weights;
    }

    @Override
    public void advanced(long weights) {
      done += weights;
    }
  }

  private static void usage(Path result, Path out, String message) {
    assertThatThrownBy(() -> export(result, out))
        .isInstanceOfSatisfying(
            EngineException.class, e -> assertThat(e.kind()).isEqualTo(FailureKind.USAGE))
        .hasMessageContaining(message);
  }
}
