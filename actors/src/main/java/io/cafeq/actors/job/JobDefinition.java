package io.cafeq.actors.job;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.plan.Plan;
import io.cafeq.engine.quantize.JobIdentity;
import java.nio.file.Path;

/**
 * A job about which everything is decided.
 *
 * @param checkpoint borrowed
 * @param output the folder to write, not yet looked at
 * @param recipe canonical form with defaults written out
 * @param lanes units that are worked on at the same time, at least 1
 * @param maxMemory cap on the process's memory in bytes
 * @param version of this program
 */
record JobDefinition(
    Checkpoint checkpoint,
    Plan plan,
    Path output,
    JsonNode recipe,
    JobIdentity identity,
    int lanes,
    long maxMemory,
    String version) {}
