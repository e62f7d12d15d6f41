package io.cafeq.actors.job;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.budget.BudgetPlan;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.plan.Plan;
import io.cafeq.engine.receipt.JobIdentity;
import java.nio.file.Path;
import java.util.Optional;

/**
 * A job about which everything is decided.
 *
 * @param checkpoint borrowed
 * @param budget what was measured for the plan, to be kept with the result
 * @param output the folder to write, not yet looked at
 * @param recipe canonical JSON with defaults written out
 * @param lanes units that are worked on at the same time, at least 1
 * @param maxMemory cap on the process's memory in bytes
 * @param version of this program
 */
record JobDefinition(
    Checkpoint checkpoint,
    Plan plan,
    Optional<BudgetPlan> budget,
    Path output,
    String recipe,
    JobIdentity identity,
    int lanes,
    long maxMemory,
    String version) {
  /** The recipe as a JSON object. */
  JsonNode recipeJson() {
    try {
      return JsonMapper.builder().build().readTree(recipe);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("the canonical recipe is not JSON", e);
    }
  }
}
