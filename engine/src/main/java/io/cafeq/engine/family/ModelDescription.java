package io.cafeq.engine.family;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.modelconfig.ModelConfig;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * What config.json and the names and shapes of all tensors say of a model: its family, its parts,
 * which matrices read which inputs. Made once for each checkpoint. Immutable.
 */
public final class ModelDescription {
  private final ModelConfig config;
  private final Map<String, List<Long>> shapes;
  private final ModelStructure structure;
  private final ModelFamily family;

  private ModelDescription(ModelConfig config, Map<String, List<Long>> shapes) {
    this.config = config;
    this.shapes = Collections.unmodifiableMap(shapes);
    this.structure = ModelStructure.of(config, shapes);
    this.family = Families.of(config, shapes, structure);
  }

  /**
   * @param shapes of all tensors, by name; [out, in] or [experts, out, in] where they are packed.
   *     Not to be changed afterwards
   */
  public static ModelDescription of(ModelConfig config, Map<String, List<Long>> shapes) {
    return new ModelDescription(config, shapes);
  }

  /** The one of a checkpoint. */
  public static ModelDescription of(Checkpoint checkpoint) {
    return checkpoint.derived(
        ModelDescription.class, opened -> of(opened.config(), opened.weights().shapes()));
  }

  public ModelConfig config() {
    return config;
  }

  /** The shape of each tensor by its name, as it would be without quantization. */
  public Map<String, List<Long>> shapes() {
    return shapes;
  }

  public ModelFamily family() {
    return family;
  }

  /** Which matrices read which inputs. */
  public MatrixInputs inputs() {
    return new MatrixInputs(family);
  }

  /**
   * Whether a tensor is in a layer, one that the model does not use included, and in no tower of
   * another modality.
   */
  public boolean isInLayers(String tensor) {
    return structure.isInLayers(tensor, shapes.getOrDefault(tensor, List.of()));
  }

  /**
   * What a decoder's tensors are called; empty where no prefix leads to both a first layer and
   * embeddings.
   *
   * @param has whether there is a tensor of that name, tied ones included
   */
  public Optional<DecoderTensors> decoderTensors(Predicate<String> has) {
    return DecoderTensors.find(structure, has);
  }
}
