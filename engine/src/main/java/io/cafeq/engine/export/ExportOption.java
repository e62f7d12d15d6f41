package io.cafeq.engine.export;

/**
 * An option of a format as users see it.
 *
 * @param name as users give it: lower-case letters, digits and hyphens
 * @param values for help, such as "bf16|f16"
 * @param description one sentence, then the default
 */
public record ExportOption(String name, String values, String description) {}
