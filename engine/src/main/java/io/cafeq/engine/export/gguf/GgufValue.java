package io.cafeq.engine.export.gguf;

import java.util.List;

/** A value of a file's metadata, of the types that this program writes. */
sealed interface GgufValue {
  /** An unsigned number below 2^31. */
  record Count(int value) implements GgufValue {}

  record Real(float value) implements GgufValue {}

  record Flag(boolean value) implements GgufValue {}

  record Text(String value) implements GgufValue {}

  record Texts(List<String> values) implements GgufValue {
    public Texts {
      values = List.copyOf(values);
    }
  }

  record Counts(List<Integer> values) implements GgufValue {
    public Counts {
      values = List.copyOf(values);
    }
  }

  record Reals(List<Float> values) implements GgufValue {
    public Reals {
      values = List.copyOf(values);
    }
  }

  record Flags(List<Boolean> values) implements GgufValue {
    public Flags {
      values = List.copyOf(values);
    }
  }

  /** A value of another type, which this program skips when it reads. */
  record Other(int type) implements GgufValue {}
}
