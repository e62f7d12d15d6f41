package io.cafeq.tools;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.assignableTo;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.belongToAnyOf;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.fields;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.core.importer.Location;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.library.GeneralCodingRules;
import io.cafeq.engine.compute.Backends;
import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.compute.ComputeBackend;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.failure.FileFailure;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.RandomAccessFile;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.NullMarked;

/** The module table and the rules of ARCHITECTURE.md. */
@AnalyzeClasses(packages = "io.cafeq", importOptions = ArchitectureTest.ProductionClasses.class)
class ArchitectureTest {

  @ArchTest
  static final ArchRule CONFIG_IMPORTS_NOTHING_OF_OURS =
      noClasses()
          .that()
          .resideInAPackage("io.cafeq.config..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("io.cafeq.engine..", "io.cafeq.actors..", "io.cafeq.tools..");

  @ArchTest
  static final ArchRule ENGINE_IS_A_LIBRARY_WITHOUT_ACTORS =
      noClasses()
          .that()
          .resideInAPackage("io.cafeq.engine..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "io.cafeq.actors..",
              "io.cafeq.tools..",
              "org.apache.pekko..",
              "scala..",
              "com.sun.net.httpserver..",
              "picocli..");

  @ArchTest
  static final ArchRule ONLY_REMOTE_STORES_ASK_SERVERS =
      noClasses()
          .that()
          .resideOutsideOfPackage("io.cafeq.engine.store.http..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("java.net.http..");

  @ArchTest
  static final ArchRule ACTORS_HOLD_NO_NUMERICS =
      noClasses()
          .that()
          .resideInAPackage("io.cafeq.actors..")
          .should()
          .dependOnClassesThat(
              resideInAnyPackage(
                      "io.cafeq.engine.compute..",
                      "io.cafeq.engine.rounding..",
                      "io.cafeq.engine.grid..",
                      "io.cafeq.engine.transform..",
                      "org.nd4j..",
                      "org.bytedeco..",
                      "org.apache.arrow..")
                  .and(
                      not(
                          belongToAnyOf(
                              Compute.class,
                              ComputeBackend.class,
                              ComputeLane.class,
                              Backends.class))));

  @ArchTest
  static final ArchRule NOTHING_REACHES_UP_TO_TOOLS =
      noClasses()
          .that()
          .resideOutsideOfPackage("io.cafeq.tools..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("io.cafeq.tools..");

  @ArchTest
  static final ArchRule ENGINE_PACKAGES_HAVE_NO_CYCLES =
      slices().matching("io.cafeq.engine.(*)..").should().beFreeOfCycles();

  @ArchTest
  static final ArchRule FAILURE_STANDS_BELOW_EVERYTHING =
      noClasses()
          .that()
          .resideInAPackage("io.cafeq.engine.failure..")
          .should()
          .dependOnClassesThat(
              resideInAnyPackage("io.cafeq..")
                  .and(
                      not(
                          resideInAnyPackage(
                              "io.cafeq.engine.failure..", "io.cafeq.engine.text.."))));

  @ArchTest
  static final ArchRule TEXT_STANDS_BELOW_EVERYTHING =
      noClasses()
          .that()
          .resideInAPackage("io.cafeq.engine.text..")
          .should()
          .dependOnClassesThat(
              resideInAnyPackage("io.cafeq..")
                  .and(not(resideInAnyPackage("io.cafeq.engine.text.."))));

  @ArchTest
  static final ArchRule THE_NUMERICS_KNOW_NO_FILES_OR_PLANS =
      noClasses()
          .that()
          .resideInAnyPackage(
              "io.cafeq.engine.grid..",
              "io.cafeq.engine.transform..",
              "io.cafeq.engine.rounding..",
              "io.cafeq.engine.compute..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "io.cafeq.engine.family..",
              "io.cafeq.engine.plan..",
              "io.cafeq.engine.block..",
              "io.cafeq.engine.quantize..",
              "io.cafeq.engine.report..",
              "io.cafeq.engine.export..",
              "io.cafeq.engine.budget..");

  @ArchTest
  static final ArchRule THE_NUMERICS_OPEN_NO_FILES =
      noClasses()
          .that()
          .resideInAnyPackage(
              "io.cafeq.engine.grid..",
              "io.cafeq.engine.transform..",
              "io.cafeq.engine.rounding..",
              "io.cafeq.engine.compute..",
              "io.cafeq.engine.memory..",
              "io.cafeq.engine.statistics..",
              "io.cafeq.engine.forward..")
          .and()
          // A native library is looked up by its path.
          .doNotHaveFullyQualifiedName("io.cafeq.engine.compute.nd4j.OpenBlas")
          .should()
          .dependOnClassesThat(
              resideInAnyPackage(
                      "java.nio.file..",
                      "java.nio.channels..",
                      "io.cafeq.engine.checkpoint..",
                      "io.cafeq.engine.block..",
                      "io.cafeq.engine.weights..",
                      "io.cafeq.engine.measure..")
                  .or(assignableTo(File.class))
                  .or(assignableTo(FileInputStream.class))
                  .or(assignableTo(FileOutputStream.class))
                  .or(assignableTo(RandomAccessFile.class))
                  .or(assignableTo(FileFailure.class)));

  @ArchTest
  static final ArchRule NOTHING_IN_THE_ENGINE_NEEDS_A_BUDGET =
      noClasses()
          .that()
          .resideInAPackage("io.cafeq.engine..")
          .and()
          .resideOutsideOfPackage("io.cafeq.engine.budget..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("io.cafeq.engine.budget..");

  @ArchTest
  static final ArchRule ONLY_MAIN_ENDS_THE_PROCESS =
      noClasses()
          .that()
          .doNotHaveFullyQualifiedName("io.cafeq.tools.Main")
          .should()
          .callMethod(System.class, "exit", int.class)
          .orShould()
          .callMethod(Runtime.class, "exit", int.class);

  @ArchTest
  static final ArchRule ONLY_TOOLS_PRINT =
      noClasses()
          .that()
          .resideOutsideOfPackage("io.cafeq.tools..")
          .should()
          .accessField(System.class, "out")
          .orShould()
          .accessField(System.class, "err");

  @ArchTest
  static final ArchRule NO_STATIC_FIELD_CHANGES = fields().that().areStatic().should().beFinal();

  @ArchTest
  static final ArchRule ONE_LOGGING_API =
      GeneralCodingRules.NO_CLASSES_SHOULD_USE_JAVA_UTIL_LOGGING;

  @ArchTest
  static void everyPackageIsDescribedAndNullMarked(JavaClasses classes) {
    Set<String> described =
        classes.stream()
            .filter(
                c ->
                    c.getSimpleName().equals("package-info") && c.isAnnotatedWith(NullMarked.class))
            .map(JavaClass::getPackageName)
            .collect(Collectors.toSet());
    Set<String> bare =
        classes.stream()
            .map(JavaClass::getPackageName)
            .collect(Collectors.toCollection(TreeSet::new));
    assertThat(bare).isNotEmpty();
    bare.removeAll(described);
    assertThat(bare).as("packages without a @NullMarked package-info").isEmpty();
  }

  @ArchTest
  static void eachNameStandsForOneClass(JavaClasses classes) {
    Map<String, List<String>> packages =
        classes.stream()
            .filter(c -> c.isTopLevelClass() && !c.getSimpleName().equals("package-info"))
            .collect(
                Collectors.groupingBy(
                    JavaClass::getSimpleName,
                    TreeMap::new,
                    Collectors.mapping(JavaClass::getPackageName, Collectors.toList())));
    assertThat(packages).isNotEmpty();
    packages.values().removeIf(found -> found.size() == 1);
    assertThat(packages).as("simple names of several classes").isEmpty();
  }

  /** Leaves out test classes, also those that come in another module's tests jar. */
  static final class ProductionClasses implements ImportOption {
    @Override
    public boolean includes(Location location) {
      return !location.contains("/test-classes/") && !location.contains("-tests.jar");
    }
  }
}
