package io.cafeq.actors.lane;

import io.cafeq.engine.receipt.UnitReceipt;
import io.cafeq.engine.report.UnitFailure;

/**
 * What is heard of a unit that a node was asked to process: any number of {@link Started} and
 * {@link Advanced}, then exactly one {@link Answer}.
 */
public sealed interface UnitNews extends CborMessage {
  String unit();

  /** A lane begins with it. */
  record Started(String unit, int lane) implements UnitNews {}

  /**
   * So many more weights were dealt with since the last news.
   *
   * @param weights not below zero
   */
  record Advanced(String unit, long weights) implements UnitNews {}

  /** The last news of a unit. */
  sealed interface Answer extends UnitNews {}

  /** Its file is complete. */
  record Made(String unit, UnitReceipt receipt) implements Answer {}

  /** It has no file. */
  record Failed(String unit, UnitFailure failure) implements Answer {}

  /** It was withdrawn before its turn, or stopped. */
  record NotMade(String unit) implements Answer {}
}
