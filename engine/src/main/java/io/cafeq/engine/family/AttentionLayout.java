package io.cafeq.engine.family;

import io.cafeq.engine.family.Heads.Part;
import io.cafeq.engine.modelconfig.TextConfig;
import java.util.Optional;
import java.util.OptionalInt;

/** How a family stores queries, keys and values. Names are those after the layer's number. */
sealed interface AttentionLayout {
  /** What config.json and the shapes lead to expect; empty where they do not tell the heads. */
  Optional<Heads> heads(Layer layer);

  /**
   * A matrix each. Key-value head g serves the query heads from g * group on.
   *
   * @param keyNorm where the family has one: the norm of each head's keys, with as many entries as
   *     a head has channels
   */
  record Separate(String query, String key, String value, String output, Optional<String> keyNorm)
      implements AttentionLayout {
    @Override
    public Optional<Heads> heads(Layer layer) {
      TextConfig config = layer.config();
      OptionalInt size = config.count("head_dim");
      if (size.isEmpty()) {
        size = keyNorm.map(layer::entries).orElseGet(OptionalInt::empty);
      }
      if (size.isEmpty()) {
        size = config.headSize();
      }
      if (size.isEmpty()) {
        return Optional.empty();
      }
      int channels = size.getAsInt();
      OptionalInt queries = orFromLength(config.heads(), layer.columns(output), channels);
      OptionalInt keyValues =
          orFromLength(config.count("num_key_value_heads"), layer.rows(value), channels);
      return queries.isPresent() && keyValues.isPresent()
          ? heads(queries.getAsInt(), keyValues.getAsInt(), channels)
          : Optional.empty();
    }

    private Optional<Heads> heads(int queries, int keyValues, int size) {
      if (queries % keyValues != 0) {
        return Optional.empty();
      }
      Part queryPart = Part.of(query, queries * size, size, queries, 0, size);
      Part keyPart = Part.of(key, keyValues * size, size, keyValues, 0, size);
      Part valuePart = Part.of(value, keyValues * size, size, keyValues, 0, size);
      return Optional.of(new Heads(queryPart, keyPart, valuePart, output, queries / keyValues));
    }

    private static OptionalInt orFromLength(OptionalInt given, OptionalInt length, int size) {
      boolean divides =
          length.isPresent() && length.getAsInt() > 0 && length.getAsInt() % size == 0;
      return given.isEmpty() && divides ? OptionalInt.of(length.getAsInt() / size) : given;
    }
  }

  /** One matrix: all queries, then all keys, then all values. */
  record FusedInBlocks(String fused, String output) implements AttentionLayout {
    @Override
    public Optional<Heads> heads(Layer layer) {
      OptionalInt size = layer.config().headSize();
      OptionalInt given = layer.config().heads();
      if (size.isEmpty() || given.isEmpty()) {
        return Optional.empty();
      }
      int h = size.getAsInt();
      int queries = given.getAsInt();
      int keyValues = layer.config().count("num_key_value_heads").orElse(queries);
      if (queries % keyValues != 0) {
        return Optional.empty();
      }
      int rows = (queries + 2 * keyValues) * h;
      Part query = Part.of(fused, rows, h, queries, 0, h);
      Part key = Part.of(fused, rows, h, keyValues, queries * h, h);
      Part value = Part.of(fused, rows, h, keyValues, (queries + keyValues) * h, h);
      return Optional.of(new Heads(query, key, value, output, queries / keyValues));
    }
  }

  /** One matrix: the first head's queries, keys and values, then the next head's. */
  record FusedByHead(String fused, String output) implements AttentionLayout {
    @Override
    public Optional<Heads> heads(Layer layer) {
      OptionalInt size = layer.config().headSize();
      OptionalInt given = layer.config().heads();
      if (size.isEmpty() || given.isEmpty()) {
        return Optional.empty();
      }
      int h = size.getAsInt();
      int heads = given.getAsInt();
      int rows = 3 * heads * h;
      Part query = Part.of(fused, rows, h, heads, 0, 3 * h);
      Part key = Part.of(fused, rows, h, heads, h, 3 * h);
      Part value = Part.of(fused, rows, h, heads, 2 * h, 3 * h);
      return Optional.of(new Heads(query, key, value, output, 1));
    }
  }

  /**
   * Latent attention. A head's rows are its keys without position, then its values; of the queries,
   * those without position, then the rotary ones. Keys and queries mean those without position
   * here.
   *
   * @param directQuery where queries do not come from a short vector
   */
  record Latent(String query, String directQuery, String keyValue, String output)
      implements AttentionLayout {
    @Override
    public Optional<Heads> heads(Layer layer) {
      TextConfig config = layer.config();
      OptionalInt plain = config.count("qk_nope_head_dim");
      OptionalInt rotary = config.count("qk_rope_head_dim");
      OptionalInt values = config.count("v_head_dim");
      OptionalInt given = config.heads();
      if (plain.isEmpty() || rotary.isEmpty() || values.isEmpty() || given.isEmpty()) {
        return Optional.empty();
      }
      int heads = given.getAsInt();
      int queryStride = plain.getAsInt() + rotary.getAsInt();
      int stride = plain.getAsInt() + values.getAsInt();
      String queries = layer.has(query) ? query : directQuery;
      Part queryPart =
          Part.of(queries, heads * queryStride, plain.getAsInt(), heads, 0, queryStride);
      Part keyPart = Part.of(keyValue, heads * stride, plain.getAsInt(), heads, 0, stride);
      Part valuePart =
          Part.of(keyValue, heads * stride, values.getAsInt(), heads, plain.getAsInt(), stride);
      return Optional.of(new Heads(queryPart, keyPart, valuePart, output, 1));
    }
  }
}
