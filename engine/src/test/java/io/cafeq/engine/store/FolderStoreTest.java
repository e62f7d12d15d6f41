package io.cafeq.engine.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FolderStoreTest extends CheckpointStoreContract {
  @TempDir Path folder;

  /** As tools do that replace files: written beside it, then renamed. */
  @Override
  protected void put(String name, byte[] bytes) throws Exception {
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    Path beside = Files.write(folder.resolveSibling("beside"), bytes);
    Files.move(beside, file, StandardCopyOption.REPLACE_EXISTING);
  }

  @Override
  protected CheckpointStore open() {
    return FolderStore.open(folder);
  }

  @Test
  void linksSayWhereTheyLead() throws Exception {
    Files.createSymbolicLink(folder.resolve("linked"), Path.of("templates"));
    Files.createSymbolicLink(folder.resolve("lost"), Path.of("gone"));
    Files.createSymbolicLink(folder.resolve("file"), Path.of("config.json"));
    try (CheckpointStore store = open()) {
      assertThat(store.list(""))
          .extracting(StoredFile::name, StoredFile::kind)
          .contains(
              org.assertj.core.groups.Tuple.tuple("linked", StoredFile.Kind.LINKED_FOLDER),
              org.assertj.core.groups.Tuple.tuple("lost", StoredFile.Kind.OTHER),
              org.assertj.core.groups.Tuple.tuple("file", StoredFile.Kind.FILE));
      assertThatThrownBy(() -> store.find("lost")).hasMessageContaining("is a link to nothing");
      assertThat(store.localFolder()).contains(folder.toRealPath());
    }
  }

  @Test
  void aFileThatChangedIsNotReadOnAfterAnInterrupt() throws Exception {
    try (CheckpointStore store = open();
        ByteSource source = store.open("config.json")) {
      put("config.json", new byte[] {'[', ']'});
      Thread reader =
          Thread.ofPlatform()
              .start(
                  () -> {
                    Thread.currentThread().interrupt();
                    assertThatThrownBy(() -> source.read(0, java.nio.ByteBuffer.allocate(1)))
                        .isInstanceOf(StoreException.class);
                  });
      reader.join();
      assertThatThrownBy(() -> source.read(0, java.nio.ByteBuffer.allocate(1)))
          .hasMessageContaining("the file was changed");
    }
  }
}
