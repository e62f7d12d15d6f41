package io.cafeq.engine.text;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class VisibleTextTest {
  /**
   * Escape, BEL, delete, C1 sequence introducer, next line, soft hyphen, Arabic letter mark,
   * zero-width space and joiner, right-to-left mark and override, isolate, separators of lines and
   * paragraphs, byte order mark, interlinear annotation, combining grapheme joiner, Hangul filler,
   * no-break and ideographic space, variation selectors, language tag, private use, a noncharacter,
   * half a surrogate pair.
   */
  @ParameterizedTest
  @ValueSource(
      ints = {
        0, 7, 8, 9, '\r', 0x1B, 0x7F, 0x85, 0x9B, 0xAD, 0x61C, 0x200B, 0x200D, 0x200F, 0x202E,
        0x2066, 0x2028, 0x2029, 0xFEFF, 0xFFF9, 0x34F, 0x3164, 0xA0, 0x3000, 0xFE0F, 0xE0101,
        0xE0041, 0xE000, 0xFFFF, 0xD800, 0xDC00
      })
  void whatDoesNotPrintIsEscapedAsInJson(int character) throws Exception {
    String text = "a" + Character.toString(character) + "z";
    String shown = VisibleText.lines(text);
    assertThat(shown).matches("a(\\\\u[0-9a-f]{4}){1,2}z").isEqualTo(VisibleText.line(text));
    assertThat(JsonMapper.builder().build().readTree("\"" + shown + "\"").textValue())
        .isEqualTo(text);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "model.layers.0.weight",
        "größe/模型/モデル/نموذج/éè",
        "😀 \\u001b \"x\" ~!@#",
        "e\u0301"
      })
  void whatPrintsStays(String text) {
    assertThat(VisibleText.line(text)).isEqualTo(text);
    assertThat(VisibleText.lines(text)).isEqualTo(text);
  }

  @Test
  void onlyLinesKeepsLineFeeds() {
    assertThat(VisibleText.lines("a\nb\r\n")).isEqualTo("a\nb\\u000d\n");
    assertThat(VisibleText.line("a\nb")).isEqualTo("a\\u000ab");
  }

  @Test
  void escapingTwiceChangesNothing() {
    String once = VisibleText.line("\u001b[2K\u202e");
    assertThat(VisibleText.line(once)).isEqualTo(once).isEqualTo("\\u001b[2K\\u202e");
  }

  @Test
  void jsonKeepsItsValue() throws Exception {
    JsonMapper mapper = JsonMapper.builder().build();
    JsonNode before =
        mapper
            .createObjectNode()
            .put("\u2028\u009b", "\u202e \n \u007f \ud83d\ude00 \udb40\udc01 \\ \"")
            .put("\ud800", 1);
    String shown = VisibleText.lines(before.toPrettyString());
    assertThat(mapper.readTree(shown)).isEqualTo(before);
    assertThat(shown.codePoints()).allMatch(c -> c == '\n' || VisibleText.isVisible(c));
  }

  @Test
  void longNamesAreCut() {
    assertThat(VisibleText.quoted("x".repeat(200))).isEqualTo("\"" + "x".repeat(200) + "\"");
    assertThat(VisibleText.quoted("\n".repeat(201)))
        .isEqualTo("\"" + "\\u000a".repeat(200) + "...\"");
    assertThat(VisibleText.shortened("😀".repeat(5000))).isEqualTo("😀".repeat(200) + "...");
    assertThat(VisibleText.message("tensor " + "y".repeat(50_000) + " is odd"))
        .isEqualTo("tensor " + "y".repeat(200) + "... is odd");
  }

  @Test
  void failuresAreOneLineWhateverNamesTheyHold() {
    EngineException failure =
        new EngineException(
            FailureKind.CHECKPOINT, "tensor a\u001b[1Ab\ncafeq: all is well", "Exclude a\u202eb.");
    assertThat(failure).hasMessage("tensor a\\u001b[1Ab\\u000acafeq: all is well");
    assertThat(failure.remedy()).isEqualTo("Exclude a\\u202eb.");
  }
}
