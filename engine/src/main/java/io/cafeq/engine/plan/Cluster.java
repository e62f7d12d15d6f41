package io.cafeq.engine.plan;

import io.cafeq.engine.family.Coupling;
import java.util.List;
import java.util.Optional;

/** Rows about which one decision is made. */
public sealed interface Cluster {
  /** Weights of all rows. */
  long weights();

  /**
   * Matrices that read the same input, or one by itself.
   *
   * @param members one for each tensor, by role
   */
  record Matrices(List<Member> members, TensorSettings settings) implements Cluster {
    public Matrices {
      members = List.copyOf(members);
    }

    /** Input channels. */
    public int columns() {
      return members.getFirst().columns();
    }

    @Override
    public long weights() {
      return members.stream().mapToLong(Member::weights).sum();
    }
  }

  /** Two coupled matrices, each with the settings of its tensor. */
  record Coupled(
      Coupling coupling,
      PlannedTensor left,
      Optional<PlannedTensor> leftBias,
      PlannedTensor right,
      Optional<PlannedTensor> rightBias,
      TensorSettings leftSettings,
      TensorSettings rightSettings)
      implements Cluster {

    /** Returns the part under a treatment. */
    public Part.Pair treated(PairTreatment treatment) {
      return new Part.Pair(coupling, left, leftBias, right, rightBias, treatment);
    }

    @Override
    public long weights() {
      return coupling.heads().stream()
          .mapToLong(
              head ->
                  (long) head.size() * left.weight().columns()
                      + switch (coupling.kind()) {
                        case VALUE_OUTPUT ->
                            (long) head.size() * head.right().size() * right.weight().allRows();
                        case QUERY_KEY ->
                            (long) head.size() * head.right().size() * right.weight().columns();
                      })
          .sum();
    }
  }

  /** Rows of one tensor: all, or those that no pair takes. */
  record Member(List<Part.RowRange> rows) {
    public Member {
      rows = List.copyOf(rows);
    }

    public PlannedTensor tensor() {
      return rows.getFirst().tensor();
    }

    public int columns() {
      return tensor().weight().columns();
    }

    public long totalRows() {
      return rows.stream().mapToLong(Part.RowRange::count).sum();
    }

    public long weights() {
      return totalRows() * columns();
    }
  }

  /** Decision about a cluster. */
  sealed interface Decision {
    /** All matrices stacked, with one input-side transform or none. */
    record Together(Treatment treatment) implements Decision {}

    /** Each matrix by itself, in the order of the members. */
    record Apart(List<Treatment> treatments) implements Decision {
      public Apart {
        treatments = List.copyOf(treatments);
      }
    }

    /** The pair. */
    record Paired(PairTreatment treatment) implements Decision {}
  }

  /** Decides about all clusters of a plan at once, since a budget is shared by all. */
  interface Chooser {
    /**
     * One decision for each cluster, in order: Together or Apart for matrices, Paired for a pair.
     */
    List<Decision> choose(List<Cluster> clusters);
  }
}
