package io.cafeq.engine.checkpoint;

import static io.cafeq.engine.checkpoint.RawSafetensors.entry;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.cafeq.engine.failure.FailureKind;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every rule of the format, each with a file that breaks it alone. */
class HeaderRulesTest {
  @TempDir private Path folder;

  private CheckpointException refusal() {
    CheckpointException refused =
        catchThrowableOfType(CheckpointException.class, () -> Checkpoint.open(folder).close());
    assertThat(refused).as("a refusal").isNotNull();
    assertThat(refused.kind()).isEqualTo(FailureKind.CHECKPOINT);
    assertThat(refused.remedy()).isNotBlank();
    assertThat(refused).hasMessageContaining("model.safetensors");
    return refused;
  }

  private CheckpointException refusal(String header, int dataBytes) throws IOException {
    RawSafetensors.write(folder, header, dataBytes);
    return refusal();
  }

  @Test
  void acceptsScalarsEmptyTensorsAndPadding() throws IOException {
    String header =
        "{"
            + entry("scalar", "F32", "[]", 0, 4)
            + ","
            + entry("empty", "F16", "[3,0]", 4, 4)
            + ","
            + entry("next", "I8", "[2]", 4, 6)
            + "}     ";
    RawSafetensors.write(folder, header, 6);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.tensors().stream().map(TensorInfo::name))
          .containsExactly("scalar", "empty", "next");
      assertThat(checkpoint.tensors().getFirst().elements()).isEqualTo(1);
      assertThat(checkpoint.tensors().get(1).elements()).isZero();
    }
  }

  @Test
  void acceptsAFileWithoutTensors() throws IOException {
    RawSafetensors.write(folder, "{}", 0);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.tensors()).isEmpty();
    }
  }

  @ParameterizedTest
  @EnumSource(Dtype.class)
  void acceptsEveryDtype(Dtype dtype) throws IOException {
    RawSafetensors.write(
        folder,
        "{" + entry("t", dtype.name(), "[3]", 0, 3L * dtype.bytes()) + "}",
        3 * dtype.bytes());
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.tensors().getFirst().dtype()).isEqualTo(dtype);
    }
  }

  @Test
  void sortsByPosition() throws IOException {
    RawSafetensors.write(
        folder, "{" + entry("b", "U8", "[1]", 1, 2) + "," + entry("a", "U8", "[1]", 0, 1) + "}", 2);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.tensors().stream().map(TensorInfo::name)).containsExactly("a", "b");
    }
  }

  @Test
  void refusesAFileShorterThanEightBytes() throws IOException {
    Files.write(folder.resolve("model.safetensors"), new byte[5]);
    assertThat(refusal()).hasMessageContaining("expected at least 8 bytes, found 5");
  }

  @Test
  void refusesAHeaderOver100MillionBytes() throws IOException {
    try (RandomAccessFile file =
        new RandomAccessFile(folder.resolve("model.safetensors").toFile(), "rw")) {
      file.write(
          ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(0, 100_000_001).array());
      file.setLength(200_000_000);
    }
    assertThat(refusal()).hasMessageContaining("100000001 bytes, at most 100000000");
  }

  @Test
  void refusesAHeaderLengthBeyondTheSignedRange() throws IOException {
    Files.write(
        folder.resolve("model.safetensors"), new byte[] {-1, -1, -1, -1, -1, -1, -1, -1, '{', '}'});
    assertThat(refusal()).hasMessageContaining("18446744073709551615 bytes");
  }

  @Test
  void refusesAHeaderPastTheEndOfTheFile() throws IOException {
    byte[] bytes = RawSafetensors.bytes("{}", new byte[0]);
    bytes[0] = 90;
    Files.write(folder.resolve("model.safetensors"), bytes);
    assertThat(refusal()).hasMessageContaining("has 90 bytes, but the file has only 10");
  }

  @Test
  void refusesAHeaderTooShortForJson() throws IOException {
    Files.write(folder.resolve("model.safetensors"), new byte[8]);
    assertThat(refusal()).hasMessageContaining("0 bytes, too few for JSON");
  }

  @Test
  void refusesAHeaderThatDoesNotBeginWithABrace() throws IOException {
    assertThat(refusal(" {}", 0)).hasMessageContaining("must begin with \"{\", found byte 32");
  }

  @Test
  void refusesAHeaderThatIsNotUtf8() throws IOException {
    byte[] header = ("{" + entry("x?", "U8", "[0]", 0, 0) + "}").getBytes(StandardCharsets.UTF_8);
    header[3] = (byte) 0xFF;
    Files.write(folder.resolve("model.safetensors"), RawSafetensors.bytes(header, new byte[0]));
    assertThat(refusal()).hasMessageContaining("not UTF-8");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{,}",
        "{\"a\":",
        "{\"a\" 1}",
        "{'a':1}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[01]}}",
        "{\"a\":NaN}"
      })
  void refusesAHeaderThatIsNotJson(String header) throws IOException {
    assertThat(refusal(header, 0)).hasMessageContaining("not JSON");
  }

  @Test
  void refusesTextAfterTheJson() throws IOException {
    assertThat(refusal("{} {}", 0)).hasMessageContaining("only spaces may follow");
  }

  @Test
  void refusesDeepNesting() throws IOException {
    assertThat(refusal("{\"a\":{\"dtype\":\"U8\",\"x\":" + "[".repeat(100_000), 0))
        .hasMessageContaining("goes beyond what is read");
  }

  @Test
  void refusesDuplicateTensors() throws IOException {
    String header = "{" + entry("w", "U8", "[1]", 0, 1) + "," + entry("w", "U8", "[1]", 1, 2) + "}";
    assertThat(refusal(header, 2)).hasMessageContaining("duplicate key \"w\"");
  }

  @Test
  void refusesDuplicateKeysInsideATensor() throws IOException {
    String header = "{\"w\":{\"dtype\":\"U8\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,1]}}";
    assertThat(refusal(header, 1))
        .hasMessageContaining("tensor \"w\"")
        .hasMessageContaining("duplicate key \"shape\"");
  }

  @Test
  void refusesDuplicateMetadata() throws IOException {
    assertThat(refusal("{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0))
        .hasMessageContaining("duplicate key \"a\" in __metadata__");
  }

  @Test
  void refusesASecondMetadata() throws IOException {
    assertThat(refusal("{\"__metadata__\":{},\"__metadata__\":{}}", 0))
        .hasMessageContaining("duplicate key \"__metadata__\"");
  }

  @ParameterizedTest
  @ValueSource(strings = {"1", "null", "[]", "{}", "true"})
  void refusesMetadataThatIsNotAString(String value) throws IOException {
    assertThat(refusal("{\"__metadata__\":{\"key\":" + value + "}}", 0))
        .hasMessageContaining("\"key\" must be a string");
  }

  @Test
  void refusesMetadataThatIsNotAnObject() throws IOException {
    assertThat(refusal("{\"__metadata__\":[]}", 0))
        .hasMessageContaining("__metadata__ must be an object, found an array");
  }

  @Test
  void refusesHalfASurrogatePair() throws IOException {
    assertThat(refusal("{" + entry("x\\ud800", "U8", "[0]", 0, 0) + "}", 0))
        .hasMessageContaining("\"x\\ud800\"")
        .hasMessageContaining("surrogate");
  }

  @ParameterizedTest
  @ValueSource(strings = {"dtype", "shape", "data_offsets"})
  void refusesAMissingKey(String key) throws IOException {
    String header =
        ("{" + entry("w", "U8", "[1]", 0, 1) + "}").replace("\"" + key + "\"", "\"other\"");
    assertThat(refusal(header, 1))
        .hasMessageContaining("tensor \"w\"")
        .hasMessageContaining(key + " is missing");
  }

  @Test
  void ignoresKeysItDoesNotKnow() throws IOException {
    RawSafetensors.write(
        folder,
        "{\"w\":{\"later\":{\"x\":[1,{}]},\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
        1);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.tensors()).hasSize(1);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"F4", "F6_E2M3", "F6_E3M2"})
  void refusesElementsSmallerThanAByte(String dtype) throws IOException {
    assertThat(refusal("{" + entry("w", dtype, "[8]", 0, 4) + "}", 4))
        .hasMessageContaining("tensor \"w\"")
        .hasMessageContaining("\"" + dtype + "\" has elements smaller than a byte");
  }

  @Test
  void refusesAnUnknownDtype() throws IOException {
    CheckpointException refused = refusal("{" + entry("w", "Q4", "[8]", 0, 4) + "}", 4);
    assertThat(refused)
        .hasMessageContaining("tensor \"w\"")
        .hasMessageContaining("unknown dtype \"Q4\"");
    assertThat(refused.remedy()).contains("BF16");
  }

  @Test
  void refusesAHole() throws IOException {
    String header = "{" + entry("a", "U8", "[1]", 0, 1) + "," + entry("b", "U8", "[1]", 2, 3) + "}";
    assertThat(refusal(header, 3))
        .hasMessageContaining("tensor \"b\"")
        .hasMessageContaining("hole after tensor \"a\"");
  }

  @Test
  void refusesAHoleAtTheBeginning() throws IOException {
    assertThat(refusal("{" + entry("a", "U8", "[1]", 1, 2) + "}", 2))
        .hasMessageContaining("hole after the header");
  }

  @Test
  void refusesAnOverlap() throws IOException {
    String header = "{" + entry("a", "U8", "[2]", 0, 2) + "," + entry("b", "U8", "[2]", 1, 3) + "}";
    assertThat(refusal(header, 3))
        .hasMessageContaining("tensor \"b\"")
        .hasMessageContaining("overlaps tensor \"a\"");
  }

  @Test
  void refusesBytesAfterTheLastTensor() throws IOException {
    assertThat(refusal("{" + entry("a", "U8", "[2]", 0, 2) + "}", 9))
        .hasMessageContaining("found 7 bytes more");
  }

  @Test
  void refusesATruncatedFile() throws IOException {
    assertThat(refusal("{" + entry("a", "F32", "[2]", 0, 8) + "}", 7))
        .hasMessageContaining("tensor \"a\"")
        .hasMessageContaining("only 7")
        .hasMessageContaining("truncated");
  }

  @Test
  void refusesAShapeThatDoesNotFitItsOffsets() throws IOException {
    assertThat(refusal("{" + entry("a", "F32", "[3,2]", 0, 20) + "}", 20))
        .hasMessageContaining("tensor \"a\"")
        .hasMessageContaining("needs 24 bytes")
        .hasMessageContaining("give 20");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"[4294967296,4294967296]", "[9223372036854775807]", "[3037000500,3037000500,0]"})
  void refusesAShapeThatOverflows(String shape) throws IOException {
    assertThat(refusal("{" + entry("a", "F64", shape, 0, 0) + "}", 0))
        .hasMessageContaining("more bytes than a 64-bit number");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "[-1]",
        "[1.5]",
        "[\"1\"]",
        "[null]",
        "[99999999999999999999]",
        "[[1]]",
        "{}",
        "1"
      })
  void refusesAShapeThatIsNoListOfSizes(String shape) throws IOException {
    assertThat(refusal("{" + entry("a", "U8", shape, 0, 1) + "}", 1))
        .hasMessageContaining("tensor \"a\": shape");
  }

  @Test
  void refusesTooManyDimensions() throws IOException {
    String shape = "[" + "1,".repeat(64) + "1]";
    assertThat(refusal("{" + entry("a", "U8", shape, 0, 1) + "}", 1))
        .hasMessageContaining("more than 64 numbers");
  }

  @Test
  void refusesMoreDimensionsThanFitIntoMemory() throws IOException {
    StringBuilder header = new StringBuilder("{");
    String shape = "[" + "0,".repeat(63) + "0]";
    for (int i = 0; i <= HeaderBudget.DIMENSIONS / 64; i++) {
      header.append(i == 0 ? "" : ",").append(entry("t" + i, "U8", shape, 0, 0));
    }
    assertThat(refusal(header.append('}').toString(), 0))
        .hasMessageContaining("more than 1600000 dimensions");
  }

  @Test
  void refusesMoreMetadataThanFitsIntoMemory() throws IOException {
    StringBuilder header = new StringBuilder("{\"__metadata__\":{");
    for (int i = 0; i <= HeaderBudget.METADATA; i++) {
      header.append(i == 0 ? "" : ",").append('"').append(i).append("\":\"\"");
    }
    assertThat(refusal(header.append("}}").toString(), 0))
        .hasMessageContaining("more than 100000 entries");
  }

  @Test
  void refusesOffsetsThatEndBeforeTheyBegin() throws IOException {
    assertThat(refusal("{" + entry("a", "U8", "[1]", 1, 0) + "}", 1))
        .hasMessageContaining("end before they begin");
  }

  @Test
  void refusesThreeOffsets() throws IOException {
    assertThat(refusal("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,2]}}", 1))
        .hasMessageContaining("must hold two numbers, found 3");
  }

  @Test
  void refusesATensorThatIsNoObject() throws IOException {
    assertThat(refusal("{\"a\":[]}", 0)).hasMessageContaining("tensor \"a\": expected an object");
  }

  @Test
  void showsLongAndStrangeNamesShortAndEscaped() throws IOException {
    String name = "evil\\u001b[2J" + "x".repeat(1000);
    assertThat(refusal("{" + entry(name, "Q4", "[0]", 0, 0) + "}", 0).getMessage())
        .contains("evil\\u001b[2Jxx")
        .contains("...\"")
        .hasSizeLessThan(800);
  }

  @Test
  void keepsMetadataAndFindsAliases() throws IOException {
    String header =
        "{\"__metadata__\":{\"format\":\"pt\",\"tied\":\"w\",\"w\":\"w\",\"note\":\"nothing\"},"
            + entry("w", "U8", "[1]", 0, 1)
            + "}";
    RawSafetensors.write(folder, header, 1);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.metadata()).containsEntry("format", "pt").hasSize(4);
      assertThat(checkpoint.aliases()).containsOnlyKeys(List.of("tied")).containsValue("w");
    }
  }
}
