package io.cafeq.actors.job;

import io.cafeq.engine.budget.BudgetPlan;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.measure.StatisticsPlan;
import io.cafeq.engine.plan.Plan;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What a job would do, and what it would take.
 *
 * @param budget what was measured for the plan; empty without a target
 * @param folder the nearest one that exists, on whose disk the result would be
 * @param freeBytes there
 * @param seconds about how long the arithmetic takes, without reading and writing
 * @param refusal what would stop it; empty where nothing would
 */
public record JobForecast(
    Plan plan,
    Optional<BudgetPlan> budget,
    StatisticsPlan statistics,
    JobNeeds needs,
    Path folder,
    long freeBytes,
    double seconds,
    Optional<EngineException> refusal) {}
