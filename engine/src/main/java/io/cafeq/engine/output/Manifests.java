package io.cafeq.engine.output;

import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.plan.Plan;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.receipt.UnitFigures;
import io.cafeq.engine.receipt.UnitReceipt;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeSet;

/**
 * Makes the manifest of a finished job. The same receipts in the same order make the same manifest.
 */
public final class Manifests {
  private static final String CONFIG = "config.json";

  private Manifests() {}

  /**
   * @param recipe canonical text, whose hash the identity holds
   * @param receipts one for each unit of the plan, in its order
   */
  public static Manifest of(
      Checkpoint checkpoint,
      Plan plan,
      String recipe,
      ResultIdentity identity,
      List<UnitReceipt> receipts,
      List<SideFile> sideFiles) {
    return of(checkpoint, plan, recipe, identity, receipts, sideFiles, Optional.empty());
  }

  /** The same with the statistics that the units were made with. */
  public static Manifest of(
      Checkpoint checkpoint,
      Plan plan,
      String recipe,
      ResultIdentity identity,
      List<UnitReceipt> receipts,
      List<SideFile> sideFiles,
      Optional<Manifest.Statistics> statistics) {
    return new Manifest(
        identity.algorithmVersion(),
        recipe,
        identity.recipeHash(),
        new TreeSet<>(receipts.stream().map(UnitReceipt::kernel).toList()),
        source(plan, identity, sideFiles),
        units(plan, receipts),
        tensors(checkpoint, plan),
        checkpoint.aliases(),
        sideFiles.stream()
            .map(file -> new Manifest.SideFileEntry(file.name(), file.bytes(), file.sha256()))
            .toList(),
        statistics.orElse(null),
        totals(plan, receipts));
  }

  /**
   * The family and not the folder's name, since a checkpoint that was moved must give the same
   * bytes.
   */
  private static Manifest.Source source(
      Plan plan, ResultIdentity identity, List<SideFile> sideFiles) {
    String config =
        sideFiles.stream()
            .filter(file -> file.name().equals(CONFIG))
            .map(SideFile::sha256)
            .findFirst()
            .orElse("");
    List<Manifest.ShardEntry> shards =
        identity.shards().stream()
            .map(shard -> new Manifest.ShardEntry(shard.name(), shard.bytes()))
            .toList();
    return new Manifest.Source(plan.family(), config, shards);
  }

  private static List<Manifest.UnitEntry> units(Plan plan, List<UnitReceipt> receipts) {
    if (plan.units().size() != receipts.size()) {
      throw new IllegalArgumentException(
          plan.units().size() + " units, but " + receipts.size() + " receipts");
    }
    List<Manifest.UnitEntry> entries = new ArrayList<>();
    for (int i = 0; i < receipts.size(); i++) {
      UnitReceipt receipt = receipts.get(i);
      Unit unit = plan.units().get(i);
      if (!unit.id().equals(receipt.id())) {
        throw new IllegalArgumentException(
            "unit " + unit.id() + ", but a receipt of " + receipt.id());
      }
      entries.add(
          new Manifest.UnitEntry(
              receipt.id(),
              receipt.file(),
              receipt.bytes(),
              receipt.sha256(),
              receipt.kernel(),
              unit.tensors().stream().map(PlannedTensor::name).toList()));
    }
    return entries;
  }

  private static List<Manifest.TensorEntry> tensors(Checkpoint checkpoint, Plan plan) {
    Map<String, String> unitOf = new HashMap<>();
    for (Unit unit : plan.units()) {
      unit.tensors().forEach(tensor -> unitOf.put(tensor.name(), unit.id()));
    }
    List<Manifest.TensorEntry> entries = new ArrayList<>();
    for (TensorInfo tensor : checkpoint.tensors()) {
      String unit =
          Objects.requireNonNull(
              unitOf.get(tensor.name()), "a tensor without a unit: " + tensor.name());
      entries.add(
          new Manifest.TensorEntry(
              tensor.name(), tensor.dtype(), tensor.shape(), tensor.file(), unit));
    }
    return entries;
  }

  private static Manifest.Totals totals(Plan plan, List<UnitReceipt> receipts) {
    long quantizedWeights = 0;
    long quantizedBits = 0;
    long bytes = 0;
    for (UnitReceipt receipt : receipts) {
      bytes += receipt.bytes();
      UnitFigures figures = receipt.figures();
      if (figures != null) {
        quantizedWeights += figures.weights();
        quantizedBits += figures.result().bits();
      }
    }
    // As stored: scales and biases beside a unit's weights count, and a byte of two packed weights
    // counts once.
    long stored =
        plan.units().stream()
            .flatMap(unit -> unit.tensors().stream())
            .mapToLong(tensor -> tensor.info().elements())
            .sum();
    return new Manifest.Totals(stored, quantizedWeights, quantizedBits, bytes);
  }
}
