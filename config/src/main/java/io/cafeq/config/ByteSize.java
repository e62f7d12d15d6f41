package io.cafeq.config;

import com.typesafe.config.ConfigException.BadValue;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigValueFactory;
import java.math.BigInteger;
import java.util.OptionalLong;

/** Parses sizes: {@code 768m} and {@code 1g} in powers of 1024, {@code 12 GB} in powers of 1000. */
public final class ByteSize {
  private ByteSize() {}

  /** Empty where the text is no size, or one that 63 bits cannot hold. */
  public static OptionalLong parse(String text) {
    try {
      BigInteger bytes =
          ConfigFactory.empty()
              .withValue("size", ConfigValueFactory.fromAnyRef(text))
              .getMemorySize("size")
              .toBytesBigInteger();
      return bytes.bitLength() < Long.SIZE
          ? OptionalLong.of(bytes.longValue())
          : OptionalLong.empty();
    } catch (BadValue notSize) {
      return OptionalLong.empty();
    }
  }
}
