package io.cafeq.engine.block;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.family.Coupling;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A {@link Coupling} as JSON. */
final class CouplingJson {
  private CouplingJson() {}

  static ObjectNode write(Coupling coupling) {
    ObjectNode node = JsonNodeFactory.instance.objectNode();
    node.put("kind", coupling.kind().text());
    node.put("left", coupling.left());
    coupling.leftBias().ifPresent(bias -> node.put("left_bias", bias));
    node.put("right", coupling.right());
    coupling.rightBias().ifPresent(bias -> node.put("right_bias", bias));
    ArrayNode heads = node.putArray("heads");
    for (Coupling.Head head : coupling.heads()) {
      ObjectNode entry = heads.addObject().put("size", head.size()).put("left", head.left());
      ArrayNode right = entry.putArray("right");
      head.right().forEach(right::add);
    }
    return node;
  }

  /** Throws {@link Fields.Bad}. */
  static Coupling read(Fields fields) {
    String left = fields.text("left");
    try {
      return new Coupling(
          fields.choice("kind", Coupling.Kind.class, Coupling.Kind::text),
          left,
          name(fields, "left_bias"),
          fields.text("right"),
          name(fields, "right_bias"),
          fields.list("heads", CouplingJson::head));
    } catch (Fields.Bad | IllegalArgumentException e) {
      throw new Fields.Bad(fields.path() + " (" + left + "): " + e.getMessage());
    }
  }

  private static Optional<String> name(Fields fields, String key) {
    return fields.node().has(key) ? Optional.of(fields.text(key)) : Optional.empty();
  }

  private static Coupling.Head head(Fields fields) {
    List<Integer> right = new ArrayList<>();
    for (JsonNode channel : fields.node().path("right")) {
      if (!channel.isInt() || channel.intValue() < 0) {
        throw new Fields.Bad(fields.path() + ".right has " + channel);
      }
      right.add(channel.intValue());
    }
    return new Coupling.Head(fields.integer("size"), fields.integer("left"), right);
  }
}
