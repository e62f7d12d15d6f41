package io.cafeq.engine.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cafeq.config.ScaleStorage;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.memory.FloatMatrix;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Runs the example of docs/format.md where a Python with pyarrow and numpy is at hand; skipped
 * elsewhere.
 */
class PyarrowTest {
  @TempDir Path folder;

  @ParameterizedTest
  @EnumSource(ScaleStorage.class)
  void theDocumentedExampleDecodesToTheSameBits(ScaleStorage storage) throws Exception {
    decodesToTheSameBits(storage, new byte[0]);
  }

  @ParameterizedTest
  @EnumSource(ScaleStorage.class)
  void soItDoesRowsWithExponents(ScaleStorage storage) throws Exception {
    decodesToTheSameBits(storage, new byte[] {0, -1, 1, -40, 90, -120, 13});
  }

  private void decodesToTheSameBits(ScaleStorage storage, byte[] exponents) throws Exception {
    String python = System.getenv().getOrDefault("CAFEQ_PYTHON", "python3");
    assumeTrue(run(python, "-c", "import pyarrow, numpy") == 0, "no Python with pyarrow and numpy");
    GridSpec grid = new GridSpec(3, 10, storage, 6, false);
    Path file = folder.resolve("unit.arrow");
    Path out = folder.resolve("weights.bin");
    try (Arena arena = Arena.ofConfined()) {
      EncodedSlab slab =
          UnitFiles.withExponents(UnitFiles.slab(arena, new Random(9), grid, 7, 50), exponents);
      TensorHeader tensor =
          new TensorHeader("w", Dtype.BF16, List.of(7L, 50L), new TensorHeader.Coding(grid, null));
      try (UnitFileWriter writer =
          UnitFileWriter.open(
              file, new UnitHeader("u", UnitFiles.IDENTITY, "scalar/java", List.of(tensor)))) {
        writer.writeSlab("w", -1, 0, slab);
        writer.finish(new TreeMap<>(), null);
      }
      Path script = folder.resolve("example.py");
      Files.writeString(script, example());
      assertThat(run(python, script.toString(), file.toString(), "w", out.toString())).isZero();
      FloatMatrix decoded = FloatMatrix.allocate(arena, 7, 50);
      new SlabDecoder().decode(slab, 0, null, 0, decoded);
      assertThat(Files.readAllBytes(out))
          .isEqualTo(decoded.segment().toArray(ValueLayout.JAVA_BYTE));
    }
  }

  private static String example() throws IOException {
    Path root = Path.of("").toAbsolutePath();
    while (!Files.exists(root.resolve("docs/format.md"))) {
      root = Objects.requireNonNull(root.getParent(), "docs/format.md lies in no folder above");
    }
    String page = Files.readString(root.resolve("docs/format.md"));
    int begin = page.indexOf("```python\n") + "```python\n".length();
    return page.substring(begin, page.indexOf("```", begin));
  }

  private static int run(String... command) throws IOException, InterruptedException {
    Process process;
    try {
      process =
          new ProcessBuilder(command)
              .inheritIO()
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start();
    } catch (IOException e) {
      return -1;
    }
    if (!process.waitFor(60, TimeUnit.SECONDS)) {
      process.destroyForcibly();
    }
    return process.waitFor();
  }
}
