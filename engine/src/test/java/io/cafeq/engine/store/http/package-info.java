/** Stores behind addresses, against a server that lies, stalls, redirects, expires and cuts off. */
@org.jspecify.annotations.NullMarked
package io.cafeq.engine.store.http;
