package io.cafeq.actors.lane;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class NodeMemoryTest {
  private final NodeMemory memory = new NodeMemory(100);

  @Test
  void whatIsHeldIsNotFree() {
    MemoryHolding unit = memory.take("a", "unit-1", 60, 60, false);

    assertThat(memory.fits(40)).isTrue();
    assertThat(memory.fits(41)).isFalse();
    assertThat(memory.holdings()).containsExactly(unit);
    memory.giveBack(unit.id());
    memory.giveBack(unit.id());
    assertThat(memory.fits(100)).isTrue();
    assertThat(memory.fits(101)).isFalse();
  }

  @Test
  void whoCanUseMoreGetsWhatIsFree() {
    memory.take("a", "unit-1", 30, 30, false);

    assertThat(memory.take("a", "statistics", 10, 1000, true).bytes()).isEqualTo(70);
  }

  @Test
  void onlyStandingClaimsAreAskedForRoom() {
    memory.take("a", "unit-1", 50, 50, false);
    assertThat(memory.needsRoomFromStanding(100)).isFalse();

    memory.take("b", "statistics", 20, 20, true);
    assertThat(memory.needsRoomFromStanding(80)).isFalse();
    assertThat(memory.needsRoomFromStanding(81)).isTrue();
  }
}
