/**
 * Checkpoints behind https:// and hf:// addresses. Start at {@link
 * io.cafeq.engine.store.http.RemoteStores}. {@link io.cafeq.engine.store.http.WebStore} finds files
 * by their usual names, {@link io.cafeq.engine.store.http.HubStore} by the hub's list; both read
 * through {@code RangeSource}, one request at a time, and neither tries anything twice: retries and
 * read-ahead are wrappers. Redirects are followed here and not by the client, so that the token
 * goes to the hub alone.
 */
@NullMarked
package io.cafeq.engine.store.http;

import org.jspecify.annotations.NullMarked;
