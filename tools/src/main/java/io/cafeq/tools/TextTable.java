package io.cafeq.tools;

import io.cafeq.engine.text.VisibleText;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Columns of text, the first to the left, the others to the right unless they are said to be words.
 * Each row is one line: cells, which often are names from files, are escaped.
 */
final class TextTable {
  private static final String GAP = "  ";

  /**
   * A cell beyond it juts out; to widen all rows for one name could make the table larger than
   * memory.
   */
  private static final int WIDEST = 120;

  private final List<List<String>> rows = new ArrayList<>();
  private final int leftColumns;

  /**
   * @param leftColumns how many columns from the left are words and so are to the left
   */
  TextTable(int leftColumns) {
    this.leftColumns = leftColumns;
  }

  TextTable row(String... cells) {
    rows.add(Stream.of(cells).map(VisibleText::message).toList());
    return this;
  }

  boolean isEmpty() {
    return rows.isEmpty();
  }

  /** Lines, each ending in a newline and none in blanks. */
  String render() {
    List<Integer> widths = new ArrayList<>();
    for (List<String> row : rows) {
      while (widths.size() < row.size()) {
        widths.add(0);
      }
      for (int i = 0; i < row.size(); i++) {
        int length = row.get(i).length();
        widths.set(i, length > WIDEST ? widths.get(i) : Math.max(widths.get(i), length));
      }
    }
    StringBuilder text = new StringBuilder();
    for (List<String> row : rows) {
      StringBuilder line = new StringBuilder();
      for (int i = 0; i < row.size(); i++) {
        String padding = " ".repeat(Math.max(0, widths.get(i) - row.get(i).length()));
        line.append(i == 0 ? "" : GAP)
            .append(i < leftColumns ? row.get(i) + padding : padding + row.get(i));
      }
      text.append(line.toString().stripTrailing()).append('\n');
    }
    return text.toString();
  }
}
