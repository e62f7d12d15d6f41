package io.cafeq.config;

import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * How checkpoints behind addresses are read. Nothing here changes the bytes of a result. {@code
 * reference.conf} says what each key means.
 *
 * @param hub address of the model hub
 * @param tokenVariable name of the environment variable that holds the hub's access token
 * @param rangeSize bytes of one request
 * @param rangeMemory bytes of the ranges that are kept
 * @param connectTimeout seconds
 * @param stallTimeout seconds
 * @param retries attempts in a row without a byte
 * @param retryDelay milliseconds before the first of them; it doubles from one to the next
 */
public record RemoteSettings(
    String hub,
    String tokenVariable,
    int parallelReads,
    long rangeSize,
    long rangeMemory,
    int connectTimeout,
    int stallTimeout,
    int retries,
    int retryDelay) {

  /** The settings of {@code reference.conf}. */
  public static RemoteSettings defaults() {
    return Settings.load(Optional.empty(), new TreeMap<>()).remote();
  }

  SortedMap<String, String> entries() {
    SortedMap<String, String> entries = new TreeMap<>();
    entries.put("hub", CanonicalText.quoted(hub));
    entries.put("token-variable", CanonicalText.quoted(tokenVariable));
    entries.put("parallel-reads", Integer.toString(parallelReads));
    entries.put("range-size", Long.toString(rangeSize));
    entries.put("range-memory", Long.toString(rangeMemory));
    entries.put("connect-timeout", Integer.toString(connectTimeout));
    entries.put("stall-timeout", Integer.toString(stallTimeout));
    entries.put("retries", Integer.toString(retries));
    entries.put("retry-delay", Integer.toString(retryDelay));
    return entries;
  }
}
