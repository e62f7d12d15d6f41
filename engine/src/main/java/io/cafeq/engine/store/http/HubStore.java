package io.cafeq.engine.store.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.store.ByteSource;
import io.cafeq.engine.store.CheckpointStore;
import io.cafeq.engine.store.FileNames;
import io.cafeq.engine.store.Location;
import io.cafeq.engine.store.StoreException;
import io.cafeq.engine.store.StoredFile;
import io.cafeq.engine.text.VisibleText;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * A repository of a model hub, pinned to the commit that its revision named when it was opened. One
 * request lists all files with their sizes and hashes.
 */
final class HubStore implements CheckpointStore {
  /** The list of a repository with ten thousand files has about 3 MB. */
  private static final int LARGEST_LIST = 32 << 20;

  private final Transport transport;
  private final String location;
  private final String files;
  private final SortedMap<String, Listed> listed;

  /**
   * A file of the list.
   *
   * @param size -1 where the list does not say
   * @param hash of the content
   */
  private record Listed(long size, String hash) {}

  private HubStore(
      Transport transport, String location, String files, SortedMap<String, Listed> listed) {
    this.transport = transport;
    this.location = location;
    this.files = files;
    this.listed = listed;
  }

  /**
   * Asks for the commit and the list; takes the transport over once this returns.
   *
   * @param hub the hub's address, without a slash at its end
   */
  static HubStore open(Transport transport, String hub, Location.Hub model) {
    String asked = "hf://" + model.model() + "@" + model.revision();
    JsonNode answer =
        json(
            transport,
            URI.create(
                hub
                    + "/api/models/"
                    + Addresses.encoded(model.model())
                    + "/revision/"
                    + Addresses.segment(model.revision())
                    + "?blobs=true"),
            asked);
    String commit = answer.path("sha").asText();
    if (!commit.matches("[0-9a-f]{40,64}")) {
      throw Refusals.lie(
          asked, "expected a commit from the hub, found " + VisibleText.quoted(commit));
    }
    String location = "hf://" + model.model() + "@" + commit;
    SortedMap<String, Listed> listed = new TreeMap<>();
    for (JsonNode sibling : answer.path("siblings")) {
      JsonNode large = sibling.path("lfs");
      String name = FileNames.require(sibling.path("rfilename").asText(), location);
      listed.put(
          name,
          new Listed(
              large.path("size").asLong(sibling.path("size").asLong(-1)),
              large.path("sha256").asText(sibling.path("blobId").asText(commit))));
    }
    return new HubStore(
        transport,
        location,
        hub + "/" + Addresses.encoded(model.model()) + "/resolve/" + commit + "/",
        listed);
  }

  private static JsonNode json(Transport transport, URI address, String place) {
    URI at = address;
    for (int hop = 0; hop <= Redirects.MOST; hop++) {
      try (Transport.Answer answer = transport.get(at, Map.of(), place)) {
        if (Redirects.is(answer)) {
          at = Redirects.next(answer, place);
          continue;
        }
        if (answer.status() != 200) {
          throw Refusals.of(answer, place, transport.hasToken());
        }
        return JsonMapper.builder().build().readTree(whole(answer, place));
      } catch (JsonProcessingException e) {
        throw Refusals.lie(place, "the hub's list of files is not JSON");
      } catch (IOException e) {
        throw Transport.failed(at, place, e);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw StoreException.interrupted(place, e);
      }
    }
    throw Redirects.endless(place);
  }

  private static byte[] whole(Transport.Answer answer, String place)
      throws IOException, InterruptedException {
    long length = answer.response().headers().firstValueAsLong("Content-Length").orElse(0);
    ByteBuffer content = ByteBuffer.allocate(1 << 16);
    while (length <= LARGEST_LIST && answer.body().read(content) >= 0) {
      if (!content.hasRemaining()) {
        if (content.capacity() >= LARGEST_LIST) {
          length = Long.MAX_VALUE;
        } else {
          content = ByteBuffer.allocate(2 * content.capacity()).put(content.flip());
        }
      }
    }
    if (length > LARGEST_LIST) {
      throw Refusals.lie(place, "the hub's list of files has more than " + LARGEST_LIST + " bytes");
    }
    return Arrays.copyOf(content.array(), content.position());
  }

  @Override
  public String location() {
    return location;
  }

  @Override
  public String place(String name) {
    return location + "/" + name;
  }

  @Override
  public List<StoredFile> list(String folder) {
    String prefix = folder.isEmpty() ? "" : FileNames.require(folder, location) + "/";
    SortedMap<String, StoredFile> entries = new TreeMap<>();
    for (String name : listed.tailMap(prefix).keySet()) {
      if (!name.startsWith(prefix)) {
        break;
      }
      int end = name.indexOf('/', prefix.length());
      if (end < 0) {
        entries.put(name, stored(name, file(name)));
      } else {
        String inside = name.substring(0, end);
        entries.put(inside, new StoredFile(inside, StoredFile.Kind.FOLDER, 0, ""));
      }
    }
    return new ArrayList<>(entries.values());
  }

  @Override
  public Optional<StoredFile> find(String name) {
    FileNames.require(name, location);
    if (listed.containsKey(name)) {
      return Optional.of(stored(name, file(name)));
    }
    return listed.tailMap(name + "/").keySet().stream()
        .findFirst()
        .filter(inside -> inside.startsWith(name + "/"))
        .map(inside -> new StoredFile(name, StoredFile.Kind.FOLDER, 0, ""));
  }

  private StoredFile stored(String name, RemoteFile file) {
    return new StoredFile(name, StoredFile.Kind.FILE, file.size(), listed(name).hash());
  }

  @Override
  public ByteSource open(String name) {
    return new RangeSource(transport, file(FileNames.require(name, location)));
  }

  private RemoteFile file(String name) {
    URI address = URI.create(files + Addresses.encoded(name));
    long size = listed(name).size();
    return size >= 0
        ? new RemoteFile(place(name), address, size, listed(name).hash(), "")
        : Probe.find(transport, address, place(name)).orElseThrow(() -> missing(name));
  }

  private Listed listed(String name) {
    Listed file = listed.get(name);
    if (file == null) {
      throw missing(name);
    }
    return file;
  }

  private StoreException missing(String name) {
    return StoreException.checkpoint(
        place(name), "no such file", "Check the revision: the repository does not have this file.");
  }

  @Override
  public Optional<Path> localFolder() {
    return Optional.empty();
  }

  @Override
  public long memory() {
    return 0;
  }

  @Override
  public void close() {
    transport.close();
  }
}
