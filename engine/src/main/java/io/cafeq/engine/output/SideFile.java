package io.cafeq.engine.output;

/**
 * A file that went along byte for byte: its path relative to the folder with forward slashes, its
 * length and SHA-256.
 */
public record SideFile(String name, long bytes, String sha256) {}
