package io.cafeq.engine.export.gguf;

import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.export.Answer;
import io.cafeq.engine.export.ExportCheck;
import io.cafeq.engine.export.LeftBehind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * What the file holds of a result, and what cannot be held.
 *
 * @param tensors in the order of the file; of use only where nothing is refused
 * @param refused what stands against single tensors
 * @param whole what stands against all of them together
 */
record TensorPlan(
    List<Outgoing> tensors,
    List<ExportCheck.Verdict> refused,
    List<Answer.Refuses> whole,
    List<LeftBehind> leftBehind) {
  private static final Answer.Refuses NO_PLACE =
      new Answer.Refuses(
          "llama.cpp has no such tensor in models of this kind",
          "Export as dense and use a converter that knows this model.");
  private static final Answer.Refuses NO_GRID =
      new Answer.Refuses(
          "codes or scales are of none of its types", "Quantize again with --target gguf.");
  private static final Answer.Refuses NO_FLOATS =
      new Answer.Refuses(
          "kept bytes are neither F32, F16 nor BF16",
          "Quantize these tensors too, or begin with a checkpoint of plain floats.");
  private static final Answer.Refuses UNLIKE_EXPERTS =
      new Answer.Refuses(
          "experts of one layer have several types, expected one",
          "Quantize again with the same bits and scales for all of them.");

  TensorPlan {
    tensors = List.copyOf(tensors);
    refused = List.copyOf(refused);
    whole = List.copyOf(whole);
    leftBehind = List.copyOf(leftBehind);
  }

  static TensorPlan of(ResultReader result, Architecture architecture, ModelKeys keys) {
    return new Building(result, architecture, keys).plan();
  }

  private static final class Building {
    private final ResultReader result;
    private final Architecture architecture;
    private final ModelKeys keys;
    private final Map<String, SortedMap<Integer, Outgoing>> byName = new LinkedHashMap<>();
    private final List<ExportCheck.Verdict> refused = new ArrayList<>();
    private final List<Answer.Refuses> whole = new ArrayList<>();
    private final List<LeftBehind> leftBehind = new ArrayList<>();

    Building(ResultReader result, Architecture architecture, ModelKeys keys) {
      this.result = result;
      this.architecture = architecture;
      this.keys = keys;
    }

    TensorPlan plan() {
      result.tensors().forEach(this::add);
      List<Outgoing> tensors = new ArrayList<>();
      byName.forEach((name, parts) -> tensors.add(together(name, parts)));
      keys.rotary()
          .factors()
          .forEach(
              (name, factors) ->
                  tensors.add(
                      new Outgoing(
                          name,
                          List.of((long) factors.size()),
                          GgufType.F32,
                          List.of(new Outgoing.Numbers(factors)))));
      if (architecture.isMixture()) {
        requireExperts();
      }
      return new TensorPlan(tensors, refused, whole, leftBehind);
    }

    private void add(Manifest.TensorEntry entry) {
      TensorHeader header = result.header(entry.name());
      Optional<TensorNames.Place> place = TensorNames.of(name(entry), architecture);
      if (header.isConsumed()) {
        leftBehind.add(new LeftBehind(entry.name(), "went into the weights"));
      } else if (TensorNames.isUnused(entry.name())) {
        leftBehind.add(new LeftBehind(entry.name(), "llama.cpp has no use for it in this file"));
      } else if (place.isEmpty()) {
        refuse(entry.name(), NO_PLACE);
      } else if (place.get().role().equals("output") && keys.isTied()) {
        leftBehind.add(new LeftBehind(entry.name(), "the head is the embedding matrix"));
      } else {
        place(header, place.get());
      }
    }

    /** A tied embedding may be stored under the name of the output head. */
    private String name(Manifest.TensorEntry entry) {
      return result.manifest().aliases().entrySet().stream()
          .filter(alias -> alias.getValue().equals(entry.name()))
          .map(Map.Entry::getKey)
          .filter(
              alias ->
                  TensorNames.of(alias, architecture)
                      .filter(place -> place.role().equals("token_embd"))
                      .isPresent())
          .findFirst()
          .orElse(entry.name());
    }

    private void place(TensorHeader header, TensorNames.Place place) {
      Optional<GgufType> stored = stored(header);
      if (stored.isEmpty()) {
        refuse(header.name(), header.isQuantized() ? NO_GRID : NO_FLOATS);
        return;
      }
      List<Long> shape = header.meaning();
      boolean isVector = shape.size() == 1;
      long rows = isVector ? shape.getFirst() : header.allRows();
      int columns = isVector ? 1 : Math.toIntExact(shape.getLast());
      boolean squeezed = shape.size() == 2 && place.role().equals("ffn_gate_inp_shexp");
      boolean exact = isVector || place.isExact();
      Outgoing.Stored part =
          new Outgoing.Stored(
              header.name(),
              rows,
              columns,
              header.isQuantized(),
              stored.get(),
              head(place, rows),
              architecture.isGemma() && place.isNorm() ? 1 : 0);
      Outgoing tensor =
          new Outgoing(
              place.name(),
              squeezed ? List.of(rows * columns) : shape,
              exact ? GgufType.F32 : stored.get(),
              List.of(part));
      byName.computeIfAbsent(place.name(), name -> new TreeMap<>()).put(place.expert(), tensor);
    }

    /** Rows of a head that change places; 0 for all other tensors. */
    private int head(TensorNames.Place place, long rows) {
      if (!architecture.permutesHeads()) {
        return 0;
      }
      return switch (place.role()) {
        case "attn_q" -> Math.toIntExact(rows / keys.heads());
        case "attn_k" -> Math.toIntExact(rows / keys.keyHeads());
        default -> 0;
      };
    }

    private static Optional<GgufType> stored(TensorHeader header) {
      if (!header.isQuantized()) {
        return GgufType.of(header.dtype());
      }
      List<Optional<GgufType>> types =
          header.sections().stream()
              .map(section -> GgufType.of(section.coding().grid(), header.columns()))
              .distinct()
              .toList();
      return types.size() == 1 ? types.getFirst() : Optional.empty();
    }

    private Outgoing together(String name, SortedMap<Integer, Outgoing> parts) {
      Outgoing first = parts.firstEntry().getValue();
      if (parts.firstKey() < 0) {
        return first;
      }
      for (Outgoing part : parts.values()) {
        if (part.type() != first.type() || !part.shape().equals(first.shape())) {
          refuse(((Outgoing.Stored) part.parts().getFirst()).tensor(), UNLIKE_EXPERTS);
        }
      }
      List<Long> shape =
          Stream.concat(Stream.of((long) parts.size()), first.shape().stream()).toList();
      return new Outgoing(
          name,
          shape,
          first.type(),
          parts.values().stream().flatMap(part -> part.parts().stream()).toList());
    }

    /** llama.cpp has no dense layers among those of these families. */
    private void requireExperts() {
      boolean all = true;
      for (int layer = 0; layer < keys.layers(); layer++) {
        for (String role : List.of("ffn_gate_exps", "ffn_up_exps", "ffn_down_exps")) {
          SortedMap<Integer, Outgoing> experts =
              byName.get("blk." + layer + "." + role + ".weight");
          all &= experts != null && experts.size() == keys.expertCount();
        }
      }
      if (!all) {
        whole.add(
            new Answer.Refuses(
                "llama.cpp expects all %d experts in every layer of such a model"
                    .formatted(keys.expertCount()),
                "Export as dense and use a program that knows layers without experts."));
      }
    }

    private void refuse(String tensor, Answer.Refuses reason) {
      refused.add(new ExportCheck.Verdict(tensor, reason));
    }
  }
}
