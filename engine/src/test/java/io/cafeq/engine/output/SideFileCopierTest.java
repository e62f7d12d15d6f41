package io.cafeq.engine.output;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.store.FolderStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SideFileCopierTest {
  private final StopFlag stop = new StopFlag();

  @Test
  void copiesByteForByteWithOrdinaryModes(@TempDir Path folder) throws Exception {
    Path source = Files.createDirectories(folder.resolve("source"));
    Path target = Files.createDirectories(folder.resolve("target"));
    Path nested = Files.createDirectories(source.resolve("docs")).resolve("a.bin");
    byte[] bytes = new byte[600_000];
    bytes[599_999] = 7;
    Files.write(nested, bytes);
    Files.setPosixFilePermissions(nested, PosixFilePermissions.fromString("r-x------"));
    Files.createFile(source.resolve("empty"));
    SideFileCopier files =
        new SideFileCopier(FolderStore.open(source), List.of("docs/a.bin", "empty"));

    assertThat(files.areIn(target, stop)).isFalse();
    List<SideFile> copied = files.copyTo(target, stop);

    assertThat(copied).extracting(SideFile::name).containsExactly("docs/a.bin", "empty");
    assertThat(copied).isEqualTo(files.describe(stop));
    assertThat(copied.getLast().sha256())
        .isEqualTo("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assertThat(Files.readAllBytes(target.resolve("docs/a.bin"))).isEqualTo(bytes);
    assertThat(Files.getPosixFilePermissions(target.resolve("docs/a.bin")))
        .isEqualTo(PosixFilePermissions.fromString("rw-r--r--"));
    assertThat(files.areIn(target, stop)).isTrue();
    assertThat(files.bytes()).isEqualTo(600_000);
  }

  @Test
  void namesThatAResultNeedsStayBehind(@TempDir Path source) throws Exception {
    Files.createFile(source.resolve("report.json"));
    Path unit = Files.createDirectories(source.resolve("units")).resolve("a.arrow");
    Files.createFile(unit);
    Files.createFile(source.resolve("config.json"));
    List<String> all = List.of("report.json", "units/a.arrow", "config.json");

    assertThat(new SideFileCopier(FolderStore.open(source), all).describe(stop))
        .extracting(SideFile::name)
        .containsExactly("config.json");
    assertThat(SideFileCopier.leftOut(all)).containsExactly("report.json", "units/a.arrow");
  }
}
