package io.cafeq.actors.lane;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.actors.runtime.ActorRuntime;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.receipt.ErrorFigures;
import io.cafeq.engine.receipt.UnitFigures;
import io.cafeq.engine.receipt.UnitReceipt;
import io.cafeq.engine.report.UnitFailure;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.SerializationTestKit;
import org.apache.pekko.actor.typed.ActorRef;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every message that can cross to another node arrives as it was sent. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class MessagesTest {
  private ActorTestKit kit;

  @BeforeAll
  void start() {
    kit = ActorTestKit.create(ActorRuntime.config());
  }

  @AfterAll
  void end() {
    kit.shutdownTestKit();
  }

  static Stream<Class<?>> messages() {
    List<Class<?>> found = new ArrayList<>();
    collect(LaneHost.Command.class, found);
    collect(UnitNews.class, found);
    for (Class<?> nested : LaneHost.class.getDeclaredClasses()) {
      collect(nested, found);
    }
    return found.stream().distinct();
  }

  private static void collect(Class<?> type, List<Class<?>> found) {
    if (type.isSealed()) {
      Arrays.stream(type.getPermittedSubclasses()).forEach(permitted -> collect(permitted, found));
    } else if (type.isRecord() && CborMessage.class.isAssignableFrom(type)) {
      found.add(type);
    } else if (type.isRecord()) {
      assertThat(NodeLocal.class).as(type + " travels or stays").isAssignableFrom(type);
    }
  }

  @ParameterizedTest
  @MethodSource("messages")
  void arrivesAsItWasSent(Class<?> type) throws ReflectiveOperationException {
    Object message = sample(type);

    Object arrived = new SerializationTestKit(kit.system()).verifySerialization(message, true);

    assertThat(arrived).isEqualTo(message);
  }

  /** A message with something in every component. */
  private Object sample(Class<?> type) throws ReflectiveOperationException {
    RecordComponent[] components = type.getRecordComponents();
    Object[] values = new Object[components.length];
    Class<?>[] types = new Class<?>[components.length];
    for (int i = 0; i < components.length; i++) {
      types[i] = components[i].getType();
      values[i] = value(types[i], components[i].getGenericType());
    }
    var constructor = type.getDeclaredConstructor(types);
    constructor.setAccessible(true);
    return constructor.newInstance(values);
  }

  private Object value(Class<?> type, Type generic) throws ReflectiveOperationException {
    if (type == String.class) {
      return "model.layers.0 \u00e4";
    }
    if (type == int.class) {
      return 3;
    }
    if (type == long.class) {
      return 1L << 40;
    }
    if (type == boolean.class) {
      return true;
    }
    if (type == ActorRef.class) {
      return kit.createTestProbe().ref();
    }
    if (type == UnitReceipt.class) {
      return receipt();
    }
    if (type == UnitFailure.class) {
      return new UnitFailure(FailureKind.CHECKPOINT, "row 3 is NaN", "Fix it.");
    }
    if (type == List.class) {
      Class<?> element = (Class<?>) ((ParameterizedType) generic).getActualTypeArguments()[0];
      return List.of(sample(element));
    }
    if (type.isRecord()) {
      return sample(type);
    }
    throw new IllegalArgumentException("no sample of " + type);
  }

  private static UnitReceipt receipt() {
    SortedMap<String, String> sources = new TreeMap<>(Map.of("a.weight", "00ff", "b", "11"));
    ErrorFigures figures = new ErrorFigures(0.25, 400);
    return new UnitReceipt(
        "unit",
        "units/unit.arrow",
        1L << 33,
        "abc",
        sources,
        "scalar/plain",
        new UnitFigures(100, 100, figures, figures, figures, figures, false, "4 bits"),
        1.5);
  }
}
