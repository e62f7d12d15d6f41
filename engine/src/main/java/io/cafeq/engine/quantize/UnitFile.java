package io.cafeq.engine.quantize;

import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.checkpoint.DurableFile;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.result.ResultLayout;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** The file of one unit, from its first byte to its final name. */
final class UnitFile {
  private final String name;
  private final Path folder;
  private final Path target;
  private final Path part;
  private final Path aside;

  UnitFile(Path outputFolder, String id) {
    ResultLayout layout = new ResultLayout(outputFolder);
    name = ResultLayout.unitName(id);
    folder = layout.units();
    target = layout.unit(id);
    part = ResultLayout.part(target);
    aside = layout.unitAside(id);
  }

  Path part() {
    return part;
  }

  /** Gives the written part another name, so that a second one can be made out of it. */
  void setAside() {
    try {
      Files.move(part, aside, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw FileFailure.of("rename", part, e);
    }
  }

  Path aside() {
    return aside;
  }

  void deleteAside() {
    try {
      Files.deleteIfExists(aside);
    } catch (IOException e) {
      throw FileFailure.of("delete", aside, e);
    }
  }

  /** Below the output folder, with forward slashes. */
  String relativeName() {
    return name;
  }

  long size() {
    try {
      return Files.size(target);
    } catch (IOException e) {
      throw FileFailure.of("read", target, e);
    }
  }

  /**
   * Gives the written and synced part its final name, durably, and returns the SHA-256 of the file.
   */
  String complete(StopFlag stop) {
    String sha256 = Digests.file(part, stop);
    try {
      Files.move(part, target, StandardCopyOption.ATOMIC_MOVE);
      DurableFile.syncFolder(folder);
    } catch (IOException e) {
      throw FileFailure.of("rename to its final name", target, e);
    }
    return sha256;
  }
}
