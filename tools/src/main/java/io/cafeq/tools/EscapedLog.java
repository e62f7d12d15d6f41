package io.cafeq.tools;

import ch.qos.logback.classic.pattern.ThrowableHandlingConverter;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.IThrowableProxy;
import ch.qos.logback.classic.spi.ThrowableProxy;
import io.cafeq.engine.text.VisibleText;

/**
 * The message of a log line and the stack trace that belongs to it, with what files name escaped.
 * For logback.xml, which knows it as {@code %escaped}; logback adds no trace of its own where a
 * pattern has one that handles them.
 */
public final class EscapedLog extends ThrowableHandlingConverter {
  @Override
  public String convert(ILoggingEvent event) {
    StringBuilder text = new StringBuilder(VisibleText.message(event.getFormattedMessage()));
    IThrowableProxy thrown = event.getThrowableProxy();
    if (thrown instanceof ThrowableProxy known) {
      StackTraces.lines(known.getThrowable()).forEach(line -> text.append('\n').append(line));
    } else if (thrown != null) {
      text.append('\n')
          .append(VisibleText.message(thrown.getClassName() + ": " + thrown.getMessage()));
    }
    return text.toString();
  }
}
