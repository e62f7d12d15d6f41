package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Each failure that names an option or a step is provoked, its remedy followed, and the program
 * gets further.
 */
class RemedyTest {
  @TempDir Path folder;

  static Stream<Remedy> remedies() {
    return Stream.of(
            CheckpointRemedies.all(),
            WeightRemedies.all(),
            RecipeRemedies.all(),
            StatisticsRemedies.all(),
            ResultRemedies.all(),
            EvaluationRemedies.all())
        .flatMap(each -> each);
  }

  @ParameterizedTest
  @MethodSource("remedies")
  void whoeverFollowsARemedyGetsFurther(Remedy remedy) throws Exception {
    Place place = new Place(Files.createDirectory(folder.resolve("a place")));

    CommandRun failed = remedy.provoke().in(place);

    assertThat(failed.exitCode()).as(failed.toString()).isEqualTo(remedy.exitCode());
    assertThat(failed.err() + failed.out()).contains(remedy.words());

    CommandRun followed = remedy.follow().in(place, failed);

    assertThat(followed.exitCode()).as(followed.toString()).isZero();
  }
}
