package io.cafeq.engine.checkpoint;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.exc.InputCoercionException;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import io.cafeq.engine.text.VisibleText;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Reads one header and refuses whatever the safetensors format forbids, as a stream: the JSON text
 * is never held.
 */
final class HeaderParser {
  private static final String DAMAGED =
      "The file is damaged or is no safetensors file: download or copy it again.";
  private static final String MADE_WRONG =
      "The file was written wrongly: get it again, or write it with a current safetensors library.";
  private static final ValueLayout.OfLong LENGTH =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final int LENGTH_BYTES = 8;

  private final ShardFile file;
  private final HeaderBudget budget;
  private final long dataStart;
  private final long dataBytes;
  private final JsonParser json;
  private final List<TensorInfo> tensors = new ArrayList<>();
  private final Set<String> names = new HashSet<>();
  private final SortedMap<String, String> metadata = new TreeMap<>();

  private HeaderParser(ShardFile file, HeaderBudget budget, long headerBytes, JsonParser json) {
    this.file = file;
    this.budget = budget;
    this.dataStart = LENGTH_BYTES + headerBytes;
    this.dataBytes = file.length() - dataStart;
    this.json = json;
  }

  /** Throws nothing but an EngineException, whatever the bytes are. */
  static SafetensorsHeader parse(ShardFile file, HeaderBudget budget) {
    long headerBytes = headerBytes(file);
    try (JsonParser json = JsonText.parser(file.stream(LENGTH_BYTES, headerBytes))) {
      return new HeaderParser(file, budget, headerBytes, json).header();
    } catch (CharacterCodingException e) {
      throw new CheckpointException(file.place() + ": the header is not UTF-8", DAMAGED, e);
    } catch (StreamConstraintsException e) {
      throw new CheckpointException(
          file.place() + ": the header goes beyond what is read: " + JsonText.fault(e),
          MADE_WRONG,
          e);
    } catch (JsonProcessingException e) {
      throw new CheckpointException(
          file.place() + ": the header is not JSON: " + JsonText.fault(e), DAMAGED, e);
    } catch (IOException e) {
      throw new CheckpointException(file.place() + ": the header cannot be read", DAMAGED, e);
    }
  }

  private static long headerBytes(ShardFile file) {
    if (file.length() < LENGTH_BYTES) {
      throw new CheckpointException(
          file.place() + ": expected at least 8 bytes, found " + file.length(), DAMAGED);
    }
    long length;
    int first;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bytes = arena.allocate(LENGTH_BYTES);
      file.read(0, bytes, "the header's length");
      length = bytes.get(LENGTH, 0);
      if (length < 0 || length > SafetensorsHeader.LARGEST) {
        throw new CheckpointException(
            file.place()
                + ": the header says it has "
                + Long.toUnsignedString(length)
                + " bytes, at most "
                + SafetensorsHeader.LARGEST
                + " are allowed",
            DAMAGED);
      }
      if (length > file.length() - LENGTH_BYTES) {
        throw new CheckpointException(
            file.place()
                + ": the header says it has "
                + length
                + " bytes, but the file has only "
                + file.length(),
            DAMAGED);
      }
      if (length < 2) {
        throw new CheckpointException(
            file.place() + ": the header has " + length + " bytes, too few for JSON", DAMAGED);
      }
      file.read(LENGTH_BYTES, bytes.asSlice(0, 1), "the header");
      first = bytes.get(ValueLayout.JAVA_BYTE, 0) & 0xFF;
    }
    if (first != '{') {
      throw new CheckpointException(
          file.place() + ": the header must begin with \"{\", found byte " + first, DAMAGED);
    }
    return length;
  }

  private SafetensorsHeader header() throws IOException {
    json.nextToken();
    while (json.nextToken() == JsonToken.FIELD_NAME) {
      String name = json.currentName();
      if (!Names.isWellFormed(name)) {
        throw new CheckpointException(
            file.place()
                + ": tensor "
                + VisibleText.quoted(name)
                + ": half a surrogate pair in the name",
            MADE_WRONG);
      }
      if (!names.add(name)) {
        throw new CheckpointException(
            file.place() + ": duplicate key " + VisibleText.quoted(name) + " in the header",
            MADE_WRONG);
      }
      json.nextToken();
      if (name.equals("__metadata__")) {
        metadata();
      } else {
        budget.takeTensor(file.place(), name);
        tensors.add(tensor(name));
      }
    }
    if (json.nextToken() != null) {
      throw new CheckpointException(
          file.place()
              + ": only spaces may follow the header's JSON, found "
              + JsonText.found(json),
          MADE_WRONG);
    }
    tensors.sort(
        Comparator.comparingLong(TensorInfo::position).thenComparingLong(TensorInfo::bytes));
    checkCover();
    return new SafetensorsHeader(tensors, metadata);
  }

  private void metadata() throws IOException {
    if (json.currentToken() != JsonToken.START_OBJECT) {
      throw new CheckpointException(
          file.place() + ": __metadata__ must be an object, found " + JsonText.found(json),
          MADE_WRONG);
    }
    while (json.nextToken() == JsonToken.FIELD_NAME) {
      String key = json.currentName();
      if (json.nextToken() != JsonToken.VALUE_STRING) {
        throw new CheckpointException(
            file.place()
                + ": __metadata__ "
                + VisibleText.quoted(key)
                + " must be a string, found "
                + JsonText.found(json),
            MADE_WRONG);
      }
      String value = json.getText();
      if (!Names.isWellFormed(key) || !Names.isWellFormed(value)) {
        throw new CheckpointException(
            file.place() + ": __metadata__ " + VisibleText.quoted(key) + ": half a surrogate pair",
            MADE_WRONG);
      }
      budget.takeMetadata(file.place(), key, value);
      if (metadata.put(key, value) != null) {
        throw new CheckpointException(
            file.place() + ": duplicate key " + VisibleText.quoted(key) + " in __metadata__",
            MADE_WRONG);
      }
    }
  }

  private TensorInfo tensor(String name) throws IOException {
    if (json.currentToken() != JsonToken.START_OBJECT) {
      throw wrong(
          name,
          "expected an object with dtype, shape and data_offsets, found " + JsonText.found(json));
    }
    Dtype dtype = null;
    List<Long> shape = null;
    List<Long> offsets = null;
    Set<String> keys = new HashSet<>(4);
    while (json.nextToken() == JsonToken.FIELD_NAME) {
      String key = json.currentName();
      if (!keys.add(key)) {
        throw wrong(name, "duplicate key " + VisibleText.quoted(key));
      }
      if (keys.size() > HeaderBudget.RANK) {
        throw wrong(name, "more than " + HeaderBudget.RANK + " keys");
      }
      json.nextToken();
      switch (key) {
        case "dtype" -> dtype = dtype(name);
        case "shape" -> {
          shape = numbers(name, "shape");
          budget.takeShape(file.place(), shape);
        }
        case "data_offsets" -> offsets = numbers(name, "data_offsets");
        // The reference reader ignores keys it does not know, so that the format can grow.
        default -> json.skipChildren();
      }
    }
    return placed(
        name,
        required(name, "dtype", dtype),
        required(name, "shape", shape),
        required(name, "data_offsets", offsets));
  }

  private <T> T required(String name, String key, @Nullable T value) {
    if (value == null) {
      throw wrong(name, key + " is missing");
    }
    return value;
  }

  private Dtype dtype(String name) throws IOException {
    if (json.currentToken() != JsonToken.VALUE_STRING) {
      throw wrong(name, "dtype must be a string, found " + JsonText.found(json));
    }
    String text = json.getText();
    return Dtype.named(text)
        .orElseThrow(
            () ->
                new CheckpointException(
                    place(name)
                        + (text.startsWith("F4") || text.startsWith("F6")
                            ? "dtype "
                                + VisibleText.quoted(text)
                                + " has elements smaller than a byte, which cannot be read"
                            : "unknown dtype " + VisibleText.quoted(text)),
                    "Use a checkpoint whose tensors have one of the types F64 F32 F16 BF16 F8_E4M3"
                        + " F8_E5M2 F8_E8M0 I64 I32 I16 I8 U64 U32 U16 U8 BOOL."));
  }

  private List<Long> numbers(String name, String key) throws IOException {
    if (json.currentToken() != JsonToken.START_ARRAY) {
      throw wrong(name, key + " must be an array, found " + JsonText.found(json));
    }
    List<Long> numbers = new ArrayList<>(2);
    while (json.nextToken() != JsonToken.END_ARRAY) {
      if (json.currentToken() != JsonToken.VALUE_NUMBER_INT) {
        throw wrong(name, key + " must hold whole numbers, found " + JsonText.found(json));
      }
      long number;
      try {
        number = json.getLongValue();
      } catch (InputCoercionException e) {
        throw wrong(name, key + " holds a number that is out of range: " + json.getText());
      }
      if (number < 0) {
        throw wrong(name, key + " holds a negative number: " + number);
      }
      if (numbers.size() == HeaderBudget.RANK) {
        throw wrong(name, key + " has more than " + HeaderBudget.RANK + " numbers");
      }
      numbers.add(number);
    }
    return numbers;
  }

  private TensorInfo placed(String name, Dtype dtype, List<Long> shape, List<Long> offsets) {
    if (offsets.size() != 2) {
      throw wrong(name, "data_offsets must hold two numbers, found " + offsets.size());
    }
    long begin = offsets.get(0);
    long end = offsets.get(1);
    if (end < begin) {
      throw wrong(name, "data_offsets [" + begin + ", " + end + "] end before they begin");
    }
    long bytes = dtype.bytes();
    try {
      long elements = 1;
      for (long size : shape) {
        elements = Math.multiplyExact(elements, size);
      }
      bytes = Math.multiplyExact(elements, bytes);
    } catch (ArithmeticException e) {
      throw wrong(
          name, "shape " + shape + " of " + dtype + " has more bytes than a 64-bit number holds");
    }
    if (bytes != end - begin) {
      throw wrong(
          name,
          "shape "
              + shape
              + " of "
              + dtype
              + " needs "
              + bytes
              + " bytes, data_offsets ["
              + begin
              + ", "
              + end
              + "] give "
              + (end - begin));
    }
    if (end > dataBytes) {
      throw new CheckpointException(
          place(name)
              + "its data end at byte "
              + end
              + " of the data, but the file holds only "
              + dataBytes
              + ": the file is truncated",
          "Download or copy the file again.");
    }
    return new TensorInfo(name, dtype, shape, file.name(), dataStart + begin, bytes);
  }

  private void checkCover() {
    long covered = dataStart;
    String before = "the header";
    for (TensorInfo tensor : tensors) {
      if (tensor.position() < covered) {
        throw wrong(
            tensor.name(),
            "begins at byte "
                + (tensor.position() - dataStart)
                + " of the data and overlaps "
                + before
                + ", which ends at "
                + (covered - dataStart));
      }
      if (tensor.position() > covered) {
        throw wrong(
            tensor.name(),
            "begins at byte "
                + (tensor.position() - dataStart)
                + " of the data and leaves a hole after "
                + before
                + ", which ends at "
                + (covered - dataStart));
      }
      covered += tensor.bytes();
      before = "tensor " + VisibleText.quoted(tensor.name());
    }
    if (covered != file.length()) {
      throw new CheckpointException(
          file.place()
              + ": the data should end at byte "
              + covered
              + " of the file, found "
              + (file.length() - covered)
              + " bytes more",
          MADE_WRONG);
    }
  }

  private String place(String name) {
    return file.place() + ": tensor " + VisibleText.quoted(name) + ": ";
  }

  private CheckpointException wrong(String name, String what) {
    return new CheckpointException(place(name) + what, MADE_WRONG);
  }
}
