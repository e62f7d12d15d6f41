package io.cafeq.actors.lane;

import io.cafeq.config.RemoteSettings;

/**
 * All that a node needs to work on a job's units. A node opens the checkpoint by itself and plans
 * again from it, so no tensor and no plan travels; {@code planDigest} shows that it came to the
 * same plan.
 *
 * @param job id, unique among the jobs of a cluster
 * @param priority lanes serve a higher number first
 * @param model location of the checkpoint, the same on every node
 * @param remote how it is read where it is an address
 * @param output folder of the result, on storage that all nodes share
 * @param recipe canonical JSON
 * @param statistics where the tokens come from: the text of a {@link
 *     io.cafeq.config.StatisticsSource}, never {@code auto}
 * @param verify whether each file is read back before it gets its name
 * @param planDigest of the ids of all units
 */
public record JobTicket(
    String job,
    int priority,
    String model,
    RemoteSettings remote,
    String output,
    String recipe,
    String statistics,
    boolean verify,
    String planDigest) {}
