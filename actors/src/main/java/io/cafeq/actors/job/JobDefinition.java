package io.cafeq.actors.job;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.actors.lane.JobTicket;
import io.cafeq.config.Recipe;
import io.cafeq.engine.budget.BudgetPlan;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.plan.Plan;
import io.cafeq.engine.receipt.JobIdentity;
import java.nio.file.Path;
import java.util.Optional;

/**
 * A job about which everything is decided.
 *
 * @param id unique among jobs
 * @param checkpoint borrowed
 * @param plan of the units
 * @param budget what was measured for the plan, to be kept with the result
 * @param version of this program
 */
record JobDefinition(
    String id,
    JobRequest request,
    Checkpoint checkpoint,
    Plan plan,
    Optional<BudgetPlan> budget,
    String version) {
  Recipe recipe() {
    return request.settings().recipe();
  }

  JobIdentity identity() {
    return new JobIdentity(recipe().hash(), JobIdentity.ALGORITHM_VERSION);
  }

  /** The recipe as a JSON object, with defaults written out. */
  JsonNode recipeJson() {
    try {
      return JsonMapper.builder().build().readTree(recipe().canonical());
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("the canonical recipe is not JSON", e);
    }
  }

  /**
   * What nodes need.
   *
   * @param output real path of the result
   * @param statistics where tokens come from
   */
  JobTicket ticket(Path output, String statistics) {
    return new JobTicket(
        id,
        request.priority(),
        checkpoint.address(),
        request.settings().remote(),
        output.toString(),
        recipe().canonical(),
        statistics,
        request.settings().run().verify(),
        PlanDigest.of(plan));
  }
}
