package io.cafeq.engine.checkpoint;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.store.ByteSource;
import io.cafeq.engine.store.CheckpointStore;
import io.cafeq.engine.store.StoredFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Recognises files that hold weights beside those of the checkpoint, in any format, by name and by
 * their first bytes.
 */
final class OtherWeights {
  private static final Set<String> EXTENSIONS =
      Set.of(
          "bin",
          "pt",
          "pth",
          "ckpt",
          "h5",
          "hdf5",
          "msgpack",
          "gguf",
          "ggml",
          "ggjt",
          "ggmf",
          "llamafile",
          "onnx",
          "onnx_data",
          "ort",
          "safetensors",
          "npz",
          "tflite",
          "task",
          "litertlm",
          "ot",
          "mlmodel",
          "mlpackage",
          "mlmodelc",
          "nemo",
          "keras",
          "pdparams",
          "pdiparams",
          "pdmodel",
          "mnn",
          "rknn",
          "rkllm",
          "engine",
          "trt",
          "plan",
          "pte",
          "distcp",
          "orbax",
          "zarr",
          "torchscript",
          "ptl",
          "pb",
          "imatrix",
          "exl2",
          "exl3",
          "marlin",
          "mar",
          "dlc",
          "hef",
          "om",
          "nbg",
          "caffemodel",
          "params",
          "weights",
          "q4",
          "q8");

  /**
   * What follows an extension without changing what the file is: parts, copies, downloads that
   * broke off, indexes.
   */
  private static final Pattern SUFFIX =
      Pattern.compile(
          "\\.(\\d+|part[-_.]?\\w*|split-\\w+|bak|old|orig|tmp|incomplete|aria2|data|data[-_]\\d+\\w*|weight|index|index\\.json"
              + "|index\\.\\w+\\.json|gz|xz|zst|zip)$");

  private static final Pattern NAMES =
      Pattern.compile(
          "(openvino|ov)_.*\\.(xml|json)|.*\\.data-\\d+-of-\\d+|.*imatrix.*\\.(dat|txt|csv|json)|params_shard_\\d+.*"
              + "|(ndarray|tensor)-cache.*\\.json|mlc-chat-config\\.json|.*[.-]ckpt-\\d+\\..*|saved_model\\..*");

  /** Extensions that say little: weights where the content is binary. */
  private static final Pattern VAGUE =
      Pattern.compile("dat|data|raw|blob|weight|model_state|i?q\\d\\w*|u?int\\d+|b?fp?\\d+");

  private static final List<byte[]> BEGINNINGS =
      List.of(
          ascii("GGUF"),
          ascii("ggml"),
          ascii("lmgg"),
          ascii("tjgg"),
          ascii("ggjt"),
          ascii("fmgg"),
          ascii("ggmf"),
          ascii("algg"),
          ascii("ggla"),
          ascii("ftrt"),
          bytes(0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'),
          bytes(0x80, 2, 0x8A, 10, 0x6C, 0xFC));
  private static final List<byte[]> FROM_FOURTH = List.of(ascii("TFL3"), ascii("ET12"));
  private static final int HEAD = 1 << 13;

  /**
   * The largest binary file that is not taken for weights whatever it holds: models of tokenizers
   * have about 5 MB.
   */
  private static final long LARGEST_BINARY = 16L << 20;

  private OtherWeights() {}

  /**
   * Whether a file name, in any case, is that of weights, of an index of weights or of what comes
   * with no others.
   */
  static boolean isNamed(String fileName) {
    String name = fileName.toLowerCase(Locale.ROOT);
    if (NAMES.matcher(name).matches()) {
      return true;
    }
    for (String base = name; ; base = SUFFIX.matcher(base).replaceFirst("")) {
      int dot = base.lastIndexOf('.');
      if (dot >= 0 && EXTENSIONS.contains(base.substring(dot + 1))) {
        return true;
      }
      if (!SUFFIX.matcher(base).find()) {
        return false;
      }
    }
  }

  /**
   * Whether the file is weights, by its name, the files beside it or its first bytes. One that
   * cannot be read is not.
   */
  static boolean is(CheckpointStore store, StoredFile file) {
    String name = file.fileName();
    if (isNamed(name) || isDescription(store, file)) {
      return true;
    }
    if (!file.isFile()) {
      return false;
    }
    try (ByteSource source = store.open(file.name())) {
      byte[] head = new byte[(int) Math.min(HEAD, source.size())];
      source.read(0, ByteBuffer.wrap(head));
      return isContent(name.toLowerCase(Locale.ROOT), head, source.size());
    } catch (EngineException unreadable) {
      // Copying it fails with a message of its own.
      return false;
    }
  }

  /** OpenVINO describes weights NAME.bin in NAME.xml. */
  private static boolean isDescription(CheckpointStore store, StoredFile file) {
    String name = file.name();
    try {
      return name.toLowerCase(Locale.ROOT).endsWith(".xml")
          && store.find(name.substring(0, name.length() - ".xml".length()) + ".bin").isPresent();
    } catch (EngineException linkToNothing) {
      return false;
    }
  }

  private static boolean isContent(String name, byte[] head, long size) {
    boolean isKnown =
        BEGINNINGS.stream().anyMatch(beginning -> has(head, 0, beginning))
            || FROM_FOURTH.stream().anyMatch(mark -> has(head, 4, mark));
    if (isKnown || isSafetensors(head, size) || isArchive(head) || isGraph(head)) {
      return true;
    }
    boolean isBinary = false;
    for (byte each : head) {
      isBinary |= each == 0;
    }
    String extension = name.substring(name.lastIndexOf('.') + 1);
    return isBinary && (size > LARGEST_BINARY || VAGUE.matcher(extension).matches());
  }

  private static boolean isSafetensors(byte[] head, long size) {
    if (head.length < 10) {
      return false;
    }
    long header = ByteBuffer.wrap(head).order(ByteOrder.LITTLE_ENDIAN).getLong(0);
    return header >= 2
        && header <= size - 8
        && head[8] == '{'
        && (head[9] == '"' || head[9] == '}' || head[9] <= ' ');
  }

  /**
   * PyTorch's and NumPy's files of several arrays: zip archives, told by the name of the first
   * member.
   */
  private static boolean isArchive(byte[] head) {
    if (head.length < 30 || !has(head, 0, bytes('P', 'K', 3, 4))) {
      return false;
    }
    int length =
        Math.min(
            ByteBuffer.wrap(head).order(ByteOrder.LITTLE_ENDIAN).getShort(26) & 0xFFFF,
            head.length - 30);
    String member = new String(head, 30, length, StandardCharsets.UTF_8);
    return member.endsWith("data.pkl")
        || member.endsWith(".npy")
        || member.contains("/data/")
        || member.endsWith(".format_version");
  }

  /**
   * Graphs with weights as ONNX, Core ML and TensorFlow write them: a version in field 1, then text
   * in field 2.
   */
  private static boolean isGraph(byte[] head) {
    return head.length > 4 && head[0] == 8 && head[1] > 0 && head[1] < 32 && head[2] == 0x12;
  }

  private static boolean has(byte[] head, int at, byte[] mark) {
    boolean same = head.length >= at + mark.length;
    for (int i = 0; same && i < mark.length; i++) {
      same = head[at + i] == mark[i];
    }
    return same;
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  private static byte[] bytes(int... values) {
    byte[] bytes = new byte[values.length];
    for (int i = 0; i < values.length; i++) {
      bytes[i] = (byte) values[i];
    }
    return bytes;
  }
}
