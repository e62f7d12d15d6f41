package io.cafeq.engine.evaluate;

import io.cafeq.config.RemoteSettings;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What is to be evaluated.
 *
 * @param model location of a checkpoint, or the folder of a result
 * @param reference what it is compared with, such as the checkpoint that a result was made from
 * @param text in UTF-8, whose perplexity is measured
 * @param choices multiple-choice questions, one per line
 * @param windows of the text, from its start, at least 1
 * @param window tokens of a window, at least 2
 * @param remote how models behind addresses are read
 */
public record EvaluationRequest(
    String model,
    Optional<String> reference,
    Optional<Path> text,
    Optional<Path> choices,
    int windows,
    int window,
    RemoteSettings remote) {}
