package io.cafeq.engine.store.http;

import java.net.URI;

/**
 * A file behind an address.
 *
 * @param place what messages call it
 * @param address without secrets; it may redirect to one that expires
 * @param size bytes
 * @param hash SHA-256 of the content in hexadecimal, or empty where nobody stated it
 * @param tag the ETag that the address gave, or empty where it is not known yet
 */
record RemoteFile(String place, URI address, long size, String hash, String tag) {}
