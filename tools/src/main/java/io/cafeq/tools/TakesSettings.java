package io.cafeq.tools;

/**
 * A command whose command line also takes every setting as an option; it reads them by its {@link
 * SettingOptions}.
 */
interface TakesSettings {}
