package io.cafeq.engine.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.engine.block.TensorHeader.Coding;
import io.cafeq.engine.block.TensorHeader.Content;
import io.cafeq.engine.block.TensorHeader.Section;
import io.cafeq.engine.block.TensorHeader.TransformUse;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.LayoutKind;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.family.Coupling.Head;
import io.cafeq.engine.family.Coupling.Kind;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.transform.StoredTransform;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Sections, layouts, states and couplings: they come back as they were, and those that lie are
 * refused.
 */
class HeaderTest {
  private static final GridSpec GRID = new GridSpec(4, 0, ScaleStorage.SYMMETRIC, 8, true);
  private static final Coding COUPLED = new Coding(GRID, null, true);

  @TempDir Path folder;

  @Property(tries = 300)
  void tensorsComeBackAsTheyWere(
      @ForAll LayoutKind layout,
      @ForAll @IntRange(min = 1, max = 4) int experts,
      @ForAll @IntRange(min = 1, max = 9) int out,
      @ForAll @IntRange(min = 1, max = 5) int in,
      @ForAll @IntRange(min = 0, max = 6) int state,
      @ForAll long seed)
      throws JsonProcessingException {
    Random random = new Random(seed);
    boolean stack =
        layout == LayoutKind.MICRO_SCALED || (layout != LayoutKind.TILED && random.nextBoolean());
    List<Long> shape =
        switch (layout) {
          case PLAIN, TILED ->
              stack
                  ? List.of((long) experts, (long) out, (long) in)
                  : List.of((long) out, (long) in);
          case TRANSPOSED ->
              stack
                  ? List.of((long) experts, (long) in, (long) out)
                  : List.of((long) in, (long) out);
          case MICRO_SCALED -> List.of((long) experts, (long) out, (long) in, 16L);
          case SCALED, SCALED_TRANSPOSED -> List.of((long) out, 7L);
        };
    List<Long> weights =
        !layout.statesShape()
            ? List.of()
            : stack
                ? List.of((long) experts, (long) out, (long) in)
                : List.of((long) out, (long) in);
    Content content =
        switch (state) {
          case 0 -> new Content.Kept();
          case 1 -> new Content.Folded();
          case 2 -> new Content.Consumed();
          default ->
              new Content.Quantized(layout, weights, sections(random, stack ? experts * out : out));
        };
    TensorHeader header = new TensorHeader("w", Dtype.BF16, shape, content);

    assertThat(TensorJson.read(fields(Json.compact(TensorJson.write(header))))).isEqualTo(header);
  }

  private static List<Section> sections(Random random, int rows) {
    List<Section> sections = new ArrayList<>();
    for (int first = 0; first < rows; ) {
      int count = 1 + random.nextInt(rows - first);
      TransformUse use =
          random.nextInt(3) == 0
              ? null
              : new TransformUse("key" + random.nextInt(3), Side.values()[random.nextInt(2)]);
      GridSpec grid =
          new GridSpec(
              2 + random.nextInt(7),
              0,
              ScaleStorage.values()[random.nextInt(5)],
              8,
              random.nextBoolean());
      sections.add(new Section(first, count, new Coding(grid, use, random.nextBoolean())));
      first += count;
    }
    return sections;
  }

  @Property(tries = 200)
  void couplingsComeBackAsTheyWere(
      @ForAll Kind kind,
      @ForAll @IntRange(min = 1, max = 5) int heads,
      @ForAll @IntRange(min = 1, max = 3) int group,
      @ForAll @IntRange(min = 1, max = 300) int size,
      @ForAll boolean leftBias,
      @ForAll boolean rightBias)
      throws JsonProcessingException {
    Coupling coupling =
        new Coupling(
            kind,
            "v",
            leftBias ? Optional.of("v.bias") : Optional.empty(),
            "o",
            rightBias ? Optional.of("q.bias") : Optional.empty(),
            IntStream.range(0, heads)
                .mapToObj(
                    head ->
                        new Head(
                            size,
                            head * size,
                            IntStream.range(0, group)
                                .map(i -> (head * group + i) * size)
                                .boxed()
                                .toList()))
                .toList());

    assertThat(CouplingJson.read(fields(Json.compact(CouplingJson.write(coupling)))))
        .isEqualTo(coupling);
  }

  @Test
  void tensorsWhoseSectionsOrStateLieAreRefusedByName() throws JsonProcessingException {
    String coding =
        "\"bits\":4,\"group\":0,\"storage\":\"symmetric\",\"scale_bits\":8,\"clip\":true";
    String tensor = "{\"name\":\"model.w\",\"dtype\":\"BF16\",\"shape\":[4,6],";
    for (String rest :
        List.of(
            "\"sections\":[{\"rows\":3," + coding + "}]}",
            "\"sections\":[{\"rows\":3," + coding + "},{\"rows\":2," + coding + "}]}",
            "\"sections\":[{\"rows\":-1," + coding + "},{\"rows\":5," + coding + "}]}",
            "\"sections\":[{\"rows\":9223372036854775807,"
                + coding
                + "},{\"rows\":5,"
                + coding
                + "}]}",
            "\"sections\":[]}",
            "\"sections\":7}",
            "\"sections\":[{\"rows\":4," + coding.replace(":0,", ":5,") + "}]}",
            "\"sections\":[{\"rows\":4}]}",
            "\"layout\":\"diagonal\"," + coding + "}",
            "\"layout\":\"micro-scaled\"," + coding + "}",
            "\"coupled\":1," + coding + "}",
            "\"transform\":\"w\",\"side\":\"both\"," + coding + "}",
            "\"state\":\"lost\"}")) {
      assertThatThrownBy(() -> TensorJson.read(fields(tensor + rest)))
          .as(rest)
          .isInstanceOf(Fields.Bad.class)
          .hasMessageContaining("model.w");
    }
    assertThat(
            TensorJson.read(fields(tensor + "\"sections\":[{\"rows\":4," + coding + "}]}"))
                .isQuantized())
        .isTrue();
  }

  @Test
  void couplingsThatLieAreRefusedByName() {
    sound(pair(heads(2, 4, 8), Optional.of("v.bias")));
    refused(
        "v.weight",
        pair(
            List.of(new Head(4, 0, List.of(0, 4)), new Head(4, 6, List.of(8, 12))),
            Optional.of("v.bias")));
    refused(
        "v.weight",
        pair(
            List.of(new Head(4, 0, List.of(0, 4)), new Head(4, 3, List.of(8, 12))),
            Optional.of("v.bias")));
    refused("v.weight", pair(List.of(new Head(4, 0, List.of(0, 4, 8, 12))), Optional.of("v.bias")));
    refused(
        "o.weight",
        pair(
            List.of(new Head(4, 0, List.of(0, 4)), new Head(4, 4, List.of(8))),
            Optional.of("v.bias")));
    refused(
        "o.weight",
        pair(
            List.of(new Head(4, 0, List.of(0, 4)), new Head(4, 4, List.of(8, 10))),
            Optional.of("v.bias")));
    refused(
        "o.weight",
        pair(
            List.of(new Head(4, 0, List.of(0, 4)), new Head(4, 4, List.of(8, 16))),
            Optional.of("v.bias")));
    refused(
        "v.weight",
        pair(
            List.of(new Head(4, 0, List.of(0, 4)), new Head(2, 4, List.of(8, 12))),
            Optional.of("v.bias")));
    refused("v.bias", pair(heads(2, 4, 8), Optional.empty()));
    refused("o.weight", pair(heads(2, 4, 8), Optional.of("o.weight")));
    refused("absent", pair(heads(2, 4, 8), Optional.of("absent")));
    refused("v.weight", header(List.of()));
    Coupling once =
        new Coupling(
            Kind.VALUE_OUTPUT,
            "v.weight",
            Optional.of("v.bias"),
            "o.weight",
            Optional.empty(),
            heads(2, 4, 8));
    refused("o.weight", header(List.of(once, once)));
  }

  private static List<Head> heads(int count, int size, int stride) {
    return IntStream.range(0, count)
        .mapToObj(head -> new Head(size, head * size, List.of(head * stride, head * stride + size)))
        .toList();
  }

  @Test
  void lengthsOfBiasesAreThoseOfTheirRows() {
    Coupling coupling =
        new Coupling(
            Kind.VALUE_OUTPUT,
            "v.weight",
            Optional.of("v.bias"),
            "o.weight",
            Optional.empty(),
            heads(2, 4, 8));
    for (List<Long> shape : List.of(List.of(7L), List.of(9L), List.of(2L, 4L), List.<Long>of())) {
      refused(
          "v.bias",
          header(
              List.of(coupling),
              new TensorHeader("v.bias", Dtype.F32, shape, new Content.Folded())));
    }
    refused(
        "v.bias",
        header(
            List.of(coupling),
            new TensorHeader("v.bias", Dtype.I8, List.of(8L), new Content.Folded())));
    refused(
        "v.bias",
        header(
            List.of(coupling),
            new TensorHeader("v.bias", Dtype.F32, List.of(8L), new Content.Kept())));
  }

  /**
   * Two billion channels in a head, or in all of them together, cost nothing before they are
   * refused.
   */
  @Test
  void couplingsOfImmenseTensorsTakeNoMemory() {
    long many = Integer.MAX_VALUE;
    for (int size : List.of(1024, 1025, Integer.MAX_VALUE)) {
      UnitHeader header =
          new UnitHeader(
              "u",
              UnitFiles.IDENTITY,
              "k",
              List.of(
                  new TensorHeader("k.weight", Dtype.BF16, List.of(4 * many, 8L), COUPLED),
                  new TensorHeader("q.weight", Dtype.BF16, List.of(4 * many, 8L), COUPLED)),
              List.of(
                  new Coupling(
                      Kind.QUERY_KEY,
                      "k.weight",
                      Optional.empty(),
                      "q.weight",
                      Optional.empty(),
                      List.of(new Head(size, Integer.MAX_VALUE, List.of(1, Integer.MAX_VALUE))))));
      refused("k.weight", header);
    }
  }

  @Test
  void blocksThatCrossSectionsAreRefused() {
    List<Section> sections =
        List.of(
            new Section(0, 6, new Coding(GRID, new TransformUse("w", Side.OUTPUT))),
            new Section(6, 6, new Coding(GRID, null)));
    blocks(sections, Side.OUTPUT, new int[][] {{0, 4}, {4, 2}}, true);
    blocks(sections, Side.OUTPUT, new int[][] {{0, 4}, {4, 4}}, false);
    blocks(sections, Side.OUTPUT, new int[][] {{0, 4}}, false);
    blocks(sections, Side.OUTPUT, new int[][] {{0, 4}, {4, 2}, {6, 6}}, false);
    blocks(sections, Side.INPUT, new int[][] {{0, 4}, {4, 2}}, false);
  }

  private void blocks(List<Section> sections, Side side, int[][] blocks, boolean sound) {
    Random random = new Random(1);
    Path file = folder.resolve("blocks.arrow");
    TensorHeader tensor =
        new TensorHeader(
            "w", Dtype.F32, List.of(12L, 6L), new Content.Quantized(LayoutKind.PLAIN, sections));
    try (Arena arena = Arena.ofConfined();
        UnitFileWriter writer =
            UnitFileWriter.open(
                file, new UnitHeader("u", UnitFiles.IDENTITY, "k", List.of(tensor)))) {
      for (int[] block : blocks) {
        writer.writeTransform(
            "w",
            UnitFiles.transform(random, side, block[0], block[1], StoredTransform.Format.INT8));
      }
      writer.writeSlab("w", -1, 0, UnitFiles.slab(arena, random, GRID, 6, 6));
      writer.writeSlab("w", -1, 6, UnitFiles.slab(arena, random, GRID, 6, 6));
      writer.finish(new TreeMap<>(), null);
    }
    check(file, sound, "w");
  }

  @Test
  void everySectionIsDecodedWithItsOwnTransform() {
    Random random = new Random(3);
    Path file = folder.resolve("experts.arrow");
    List<Section> sections =
        List.of(
            new Section(0, 8, new Coding(GRID, new TransformUse("u#0", Side.INPUT))),
            new Section(8, 4, new Coding(GRID, new TransformUse("u#1", Side.INPUT))),
            new Section(12, 4, new Coding(GRID, new TransformUse("w", Side.OUTPUT))),
            new Section(16, 4, new Coding(UnitFiles.PLAIN, null)));
    TensorHeader tensor =
        new TensorHeader(
            "w", Dtype.F32, List.of(5L, 4L, 6L), new Content.Quantized(LayoutKind.PLAIN, sections));
    try (Arena arena = Arena.ofConfined()) {
      List<StoredTransform> first =
          UnitFiles.transforms(random, Side.INPUT, 6, 4, StoredTransform.Format.INT8);
      List<StoredTransform> second =
          UnitFiles.transforms(random, Side.INPUT, 6, 6, StoredTransform.Format.BF16);
      StoredTransform output =
          UnitFiles.transform(random, Side.OUTPUT, 12, 4, StoredTransform.Format.INT8);
      List<SlabDecoder.Blocks> expected =
          new ArrayList<>(
              List.of(
                  SlabDecoder.Blocks.of(first),
                  SlabDecoder.Blocks.of(first),
                  SlabDecoder.Blocks.of(second),
                  SlabDecoder.Blocks.of(List.of(output))));
      List<EncodedSlab> slabs = new ArrayList<>();
      try (UnitFileWriter writer =
          UnitFileWriter.open(
              file, new UnitHeader("u", UnitFiles.IDENTITY, "k", List.of(tensor)))) {
        first.forEach(block -> writer.writeTransform("u#0", block));
        second.forEach(block -> writer.writeTransform("u#1", block));
        writer.writeTransform("w", output);
        for (int expert = 0; expert < 5; expert++) {
          slabs.add(UnitFiles.slab(arena, random, expert < 4 ? GRID : UnitFiles.PLAIN, 4, 6));
          writer.writeSlab("w", expert, 0, slabs.getLast());
        }
        writer.finish(new TreeMap<>(), null);
      }
      List<Long> seen = new ArrayList<>();
      try (UnitFileReader reader = UnitFileReader.open(file)) {
        new WeightPieces(reader, arena)
            .forEach(
                "w",
                (row, weights, slab) -> {
                  int expert = (int) (row / 4);
                  FloatMatrix alone = FloatMatrix.allocate(arena, 4, 6);
                  new SlabDecoder()
                      .decode(
                          slabs.get(expert),
                          0,
                          expert < 4 ? expected.get(expert) : null,
                          expert == 3 ? 12 : 0,
                          alone);
                  assertThat(weights.segment().toArray(ValueLayout.JAVA_FLOAT))
                      .isEqualTo(alone.segment().toArray(ValueLayout.JAVA_FLOAT));
                  seen.add(row);
                });
      }
      assertThat(seen).containsExactly(0L, 4L, 8L, 12L, 16L);
    }
  }

  private static UnitHeader pair(List<Head> heads, Optional<String> bias) {
    return header(
        List.of(
            new Coupling(
                Kind.VALUE_OUTPUT, "v.weight", bias, "o.weight", Optional.empty(), heads)));
  }

  private static UnitHeader header(List<Coupling> couplings) {
    return header(
        couplings, new TensorHeader("v.bias", Dtype.F32, List.of(8L), new Content.Folded()));
  }

  private static UnitHeader header(List<Coupling> couplings, TensorHeader bias) {
    return new UnitHeader(
        "u",
        UnitFiles.IDENTITY,
        "k",
        List.of(
            new TensorHeader("v.weight", Dtype.BF16, List.of(8L, 6L), COUPLED),
            new TensorHeader("o.weight", Dtype.BF16, List.of(6L, 16L), COUPLED),
            bias),
        couplings);
  }

  private void sound(UnitHeader header) {
    Random random = new Random(1);
    Path file = folder.resolve("sound.arrow");
    try (Arena arena = Arena.ofConfined();
        UnitFileWriter writer = UnitFileWriter.open(file, header)) {
      writer.writeSlab(
          "v.weight", -1, 0, UnitFiles.coupled(UnitFiles.slab(arena, random, GRID, 8, 6)));
      writer.writeSlab(
          "o.weight", -1, 0, UnitFiles.coupled(UnitFiles.slab(arena, random, GRID, 6, 16)));
      writer.writeRaw("v.bias", 0, arena.allocate(32));
      writer.finish(new TreeMap<>(), null);
    }
    check(file, true, "");
  }

  private void refused(String named, UnitHeader header) {
    Path file = folder.resolve("refused.arrow");
    try (UnitFileWriter writer = UnitFileWriter.open(file, header)) {
      writer.finish(new TreeMap<>(), null);
    }
    check(file, false, named);
  }

  private static void check(Path file, boolean sound, String named) {
    if (sound) {
      UnitFileReader.open(file).close();
    } else {
      assertThatThrownBy(() -> UnitFileReader.open(file).close())
          .isInstanceOfSatisfying(
              EngineException.class, e -> assertThat(e.kind()).isEqualTo(FailureKind.RESULT))
          .hasMessageContaining(named);
    }
    try {
      Files.delete(file);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  private static Fields fields(String json) throws JsonProcessingException {
    return new Fields("header", (ObjectNode) Json.parse(json));
  }
}
