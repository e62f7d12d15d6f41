package io.cafeq.engine.output;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.config.Recipe;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class ResultIdentityTest {
  private static final String FLAT =
      """
      {"baselines":"auto","bits":"auto","block":"auto","clip":true,"embeddings":"none",
       "exclude":[],"fall-back":true,"group":"auto","include":[],"loss":"p-norm",
       "method":"cafeq","overrides":[],"pair-iterations":3,"pair-loss":"expected-error",
       "pair-optimizer":"adam","pair-orthogonality":0.0,"pair-rate":"auto","pair-reverse":false,
       "pair-rounding":"nearest-plane","pair-steps":%d,"pair-temperature":5.0,"pairs":true,
       "rounding":"nearest-plane","scale-bits":8,"scales":"auto","seed":0,"side":"auto",
       "statistics":"auto","statistics-damping":0.01,"statistics-tokens":4096,
       "statistics-width":4096,"statistics-window":256,"steps":100,"target-bpw":"none",
       "transform-bits":0.25,"transform-storage":"auto"}
      """;

  @Test
  void namesEachSettingThatDiffersByItsOption() throws JsonProcessingException {
    ResultIdentity asked =
        identity(4, Recipe.of(Map.of("bits", "3", "pair-steps", "9", "exclude", "a")).canonical());

    assertThat(identity(4, Recipe.defaults().canonical()).differences(asked))
        .containsExactly(
            "bits: this folder has auto, you asked for 3",
            "exclude: this folder has [], you asked for [\"a\"]",
            "pair-steps: this folder has 200, you asked for 9");
  }

  @Test
  void comparesFoldersOfTheVersionBeforeSections() throws JsonProcessingException {
    ResultIdentity asked = identity(4, Recipe.defaults().canonical());
    String version = "algorithm version: this folder has 3, this program has 4";

    // settings that came later have no value there
    String scales = "column-scales: this folder has no value, you asked for true";
    String shrinkage = "statistics-shrinkage: this folder has no value, you asked for auto";
    String target = "target: this folder has no value, you asked for none";

    assertThat(identity(3, FLAT.formatted(200)).differences(asked))
        .containsExactly(version, scales, shrinkage, target);
    assertThat(identity(3, FLAT.formatted(7)).differences(asked))
        .containsExactly(
            version, scales, "pair-steps: this folder has 7, you asked for 200", shrinkage, target);
  }

  private static ResultIdentity identity(int version, String recipe)
      throws JsonProcessingException {
    return new ResultIdentity(
        version,
        new JsonMapper().readTree(recipe),
        "hash of " + recipe.length(),
        List.of(),
        List.of(),
        new TreeMap<>());
  }
}
