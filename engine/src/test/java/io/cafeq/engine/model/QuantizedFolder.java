package io.cafeq.engine.model;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.cafeq.config.Recipe;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.output.FolderLocks;
import io.cafeq.engine.output.Manifests;
import io.cafeq.engine.output.OutputFolder;
import io.cafeq.engine.output.ResultIdentity;
import io.cafeq.engine.output.SideFile;
import io.cafeq.engine.output.SideFileCopier;
import io.cafeq.engine.plan.Plan;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.Planner;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.quantize.Progress;
import io.cafeq.engine.quantize.UnitQuantizer;
import io.cafeq.engine.receipt.JobIdentity;
import io.cafeq.engine.receipt.UnitReceipt;
import io.cafeq.engine.statistics.InputStatistics;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/** A job on one thread: every unit of a checkpoint, then side files and manifest. */
public final class QuantizedFolder {
  private QuantizedFolder() {}

  /** Makes a result folder with the scalar backend. */
  public static void make(Path source, Path target, Map<String, String> recipeKeys) {
    make(source, target, recipeKeys, false);
  }

  /** With plain rounding measured also where the result does not need it, or without. */
  public static void make(
      Path source, Path target, Map<String, String> recipeKeys, boolean baselines) {
    make(source, target, recipeKeys, baselines, InputStatistics.NONE);
  }

  /** The same with what is known of the inputs. */
  public static void make(
      Path source,
      Path target,
      Map<String, String> recipeKeys,
      boolean baselines,
      InputStatistics statistics) {
    Recipe recipe = Recipe.of(recipeKeys);
    StopFlag stop = new StopFlag();
    JobIdentity job = new JobIdentity(recipe.hash(), JobIdentity.ALGORITHM_VERSION);
    Compute compute = Compute.open("scalar");
    try (Checkpoint checkpoint = Checkpoint.open(source);
        OutputFolder folder =
            OutputFolder.open(target, checkpoint.localPath().orElseThrow(), new FolderLocks())) {
      UnitQuantizer quantizer =
          new UnitQuantizer(
              checkpoint,
              job,
              compute,
              statistics,
              new UnitQuantizer.Options(true, baselines, recipe.statistics().damping()));
      Plan plan = Planner.plan(checkpoint, recipe);
      SideFileCopier sideFiles = new SideFileCopier(checkpoint.store(), checkpoint.sideFiles());
      ResultIdentity identity = identity(checkpoint, plan, recipe, sideFiles.describe(stop));
      folder.begin(identity);
      List<UnitReceipt> receipts = new ArrayList<>();
      for (Unit unit : plan.units()) {
        receipts.add(quantizer.quantize(unit, folder.root(), stop, Progress.NONE));
      }
      List<SideFile> copied = sideFiles.copyTo(folder.root(), stop);
      Manifests.of(checkpoint, plan, recipe.canonical(), identity, receipts, copied)
          .write(folder.root());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static ResultIdentity identity(
      Checkpoint checkpoint, Plan plan, Recipe recipe, List<SideFile> sideFiles)
      throws IOException {
    List<ResultIdentity.Shard> shards = new ArrayList<>();
    checkpoint.shards().forEach((name, bytes) -> shards.add(new ResultIdentity.Shard(name, bytes)));
    SortedMap<String, List<String>> units = new TreeMap<>();
    for (Unit unit : plan.units()) {
      units.put(unit.id(), unit.tensors().stream().map(PlannedTensor::name).toList());
    }
    return new ResultIdentity(
        JobIdentity.ALGORITHM_VERSION,
        new ObjectMapper().readTree(recipe.canonical()),
        recipe.hash(),
        shards,
        sideFiles,
        units);
  }
}
