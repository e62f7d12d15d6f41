package io.cafeq.engine.store.http;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.checkpoint.Digests;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;

/** Puts a model into a server as the hub lays it out; each change is a commit of its own. */
public final class HubServer {
  public static final String MODEL = "made-up/model";

  private final FileServer server;
  private final Map<String, byte[]> files = new TreeMap<>();
  private String commit = "";

  public HubServer(FileServer server) {
    this.server = server;
  }

  /** The commit that the branch main is at. */
  public String commit() {
    return commit;
  }

  /** Where one file of the latest commit is. */
  public String path(String name) {
    return "/" + MODEL + "/resolve/" + commit + "/" + name;
  }

  /** Adds or replaces a file by a new commit. */
  public void put(String name, byte[] content) {
    put(Map.of(name, content));
  }

  /** Adds or replaces files by one commit. */
  public void put(Map<String, byte[]> changed) {
    new TreeMap<>(changed).forEach(this::change);
    publish();
  }

  private void change(String name, byte[] content) {
    files.put(name, content.clone());
    commit =
        Digests.text(commit + name + Digests.text(new String(content, StandardCharsets.ISO_8859_1)))
            .substring(0, 40);
  }

  private void publish() {
    ObjectNode answer = JsonMapper.builder().build().createObjectNode();
    answer.put("sha", commit);
    files.forEach(
        (each, bytes) -> {
          server.put(path(each), bytes);
          ObjectNode sibling = answer.withArray("siblings").addObject();
          sibling.put("rfilename", each).put("size", bytes.length);
          if (each.endsWith(".safetensors")) {
            sibling
                .putObject("lfs")
                .put("sha256", FileServer.tag(bytes).replace("\"", ""))
                .put("size", bytes.length);
          } else {
            sibling.put("blobId", Digests.text(FileServer.tag(bytes)).substring(0, 40));
          }
        });
    byte[] list = answer.toString().getBytes(StandardCharsets.UTF_8);
    server.put("/api/models/" + MODEL + "/revision/main", list);
    server.put("/api/models/" + MODEL + "/revision/" + commit, list);
  }
}
