package io.cafeq.engine.transform;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.SplittableRandom;

/** Random numbers that depend on what they are for alone, never on order, threads or platform. */
public final class Seeds {
  private Seeds() {}

  /** First eight bytes of SHA-256(user seed, tensor name, block, purpose). */
  public static long of(long userSeed, String tensor, int block, String purpose) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      digest.update(ByteBuffer.allocate(12).putLong(userSeed).putInt(block).flip());
      digest.update(tensor.getBytes(StandardCharsets.UTF_8));
      digest.update((byte) 0);
      digest.update(purpose.getBytes(StandardCharsets.UTF_8));
      return ByteBuffer.wrap(digest.digest()).getLong();
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  /** Standard normal numbers by the polar method with StrictMath, the same bits everywhere. */
  public static double[] gaussians(SplittableRandom random, int count) {
    double[] out = new double[count];
    for (int i = 0; i < count; ) {
      double u = 2 * random.nextDouble() - 1;
      double v = 2 * random.nextDouble() - 1;
      double s = u * u + v * v;
      if (s >= 1 || s == 0) {
        continue;
      }
      double factor = StrictMath.sqrt(-2 * StrictMath.log(s) / s);
      out[i++] = u * factor;
      if (i < count) {
        out[i++] = v * factor;
      }
    }
    return out;
  }
}
