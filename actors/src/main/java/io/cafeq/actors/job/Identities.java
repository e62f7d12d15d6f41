package io.cafeq.actors.job;

import io.cafeq.engine.output.ResultIdentity;
import io.cafeq.engine.output.SideFile;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.Unit;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/** What makes a job the same job again. */
final class Identities {
  private Identities() {}

  static ResultIdentity of(
      JobDefinition definition, List<SideFile> sideFiles, ResultIdentity.Statistics statistics) {
    List<ResultIdentity.Shard> shards =
        definition.checkpoint().shards().entrySet().stream()
            .map(shard -> new ResultIdentity.Shard(shard.getKey(), shard.getValue()))
            .toList();
    SortedMap<String, List<String>> units = new TreeMap<>();
    for (Unit unit : definition.plan().units()) {
      units.put(unit.id(), unit.tensors().stream().map(PlannedTensor::name).toList());
    }
    return new ResultIdentity(
        definition.identity().algorithmVersion(),
        definition.recipeJson(),
        definition.identity().recipeHash(),
        shards,
        sideFiles,
        statistics,
        units);
  }
}
