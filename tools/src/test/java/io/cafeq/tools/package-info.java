/** Tests of the command line, the launcher, and the rules of ARCHITECTURE.md. */
@NullMarked
package io.cafeq.tools;

import org.jspecify.annotations.NullMarked;
