package io.cafeq.engine.family;

import java.util.Set;

/**
 * Words in the names of modules that mean the same in nearly every model. They decide where shapes
 * alone do not; a name that has none of them is judged by its shape.
 */
final class LayerWords {
  /** Modules that hold experts. */
  static final Set<String> EXPERTS = Set.of("expert", "experts", "moe", "mixture");

  /** Before a text model, or within it. */
  static final Set<String> TEXT = Set.of("language", "text", "llm", "lm", "thinker");

  /** Towers, and what leads from them to the text model, or from it to speech and images. */
  static final Set<String> OTHER_MODALITIES =
      Set.of(
          "vision",
          "visual",
          "vit",
          "vpm",
          "image",
          "images",
          "img",
          "pixel",
          "pixels",
          "patch",
          "video",
          "siglip",
          "clip",
          "sam",
          "eva",
          "dino",
          "tower",
          "towers",
          "audio",
          "speech",
          "sound",
          "voice",
          "acoustic",
          "apm",
          "wav",
          "mel",
          "whisper",
          "speaker",
          "tts",
          "talker",
          "token2wav",
          "code2wav",
          "vocoder",
          "codec",
          "vae",
          "vq",
          "vqmodel",
          "unet",
          "dit",
          "diffusion",
          "resampler",
          "perceiver",
          "qformer",
          "projector",
          "connector",
          "merger",
          "aligner",
          "abstractor",
          "multi",
          "multimodal",
          "modal",
          "modality",
          "mm",
          "sensor",
          "depth",
          "ocr");

  /** In the names of models of any kind. */
  static final Set<String> ANY_MODEL =
      Set.of(
          "config",
          "cfg",
          "model",
          "encoder",
          "decoder",
          "backbone",
          "transformer",
          "module",
          "layer",
          "layers",
          "block",
          "blocks");

  /** What layers are made of: settings of these describe no other model. */
  static final Set<String> PARTS_OF_LAYERS =
      Set.of(
          "attn",
          "attention",
          "mlp",
          "ffn",
          "moe",
          "experts",
          "ssm",
          "mixer",
          "mamba",
          "rope",
          "norm",
          "router",
          "cache");

  /** Stacks that work on what the layers put out. */
  static final Set<String> HEADS =
      Set.of("head", "heads", "classifier", "classifiers", "predictor", "predictors");

  /** Tables that tokens are looked up in. */
  static final Set<String> EMBEDDINGS =
      Set.of(
          "embed",
          "embedder",
          "emb",
          "embedding",
          "embeddings",
          "wte",
          "tok",
          "token",
          "tokens",
          "word",
          "words",
          "shared",
          "table",
          "lookup",
          "codebook",
          "vocabulary");

  /** Those of a layer. */
  static final Set<String> TABLES =
      Set.of(
          "embed",
          "emb",
          "embedding",
          "embeddings",
          "wte",
          "table",
          "tables",
          "lookup",
          "codebook",
          "vocab",
          "vocabulary");

  /** Layers that predict further tokens, for drafts of the next ones. */
  static final Set<String> DRAFTS =
      Set.of("mtp", "nextn", "draft", "drafter", "eagle", "medusa", "speculator", "hydra");

  /** What decides, mixes or looks up rather than multiplies, and all within it. */
  static final Set<String> STEERING =
      Set.of(
          "router",
          "routers",
          "classifier",
          "lora",
          "plora",
          "adapter",
          "adapters",
          "altup",
          "laurel",
          "hyper",
          "hc",
          "sconv",
          "ngram",
          "embedding",
          "embeddings",
          "embed",
          "emb",
          "wpe",
          "lru");

  /** The same where the matrix itself is called so. */
  static final Set<String> STEERING_LAST =
      Set.of(
          "conv",
          "conv1",
          "conv1d",
          "conv2d",
          "decay",
          "rel",
          "relative",
          "position",
          "positions",
          "ape",
          "codebook",
          "scale",
          "scales",
          "bias",
          "sink",
          "sinks",
          "score",
          "vocab",
          "vocabulary",
          "table",
          "tables",
          "temperature",
          "alpha",
          "beta",
          "gamma");

  /** Modules of which all matrices steer. */
  static final Set<String> STEERING_MODULES = Set.of("gate", "gating", "router", "routing");

  /**
   * Matrices of a short inner length in state spaces and in linear attention, and those that weigh
   * heads.
   */
  static final Set<String> STEERING_NAMES =
      Set.of(
          "x_proj",
          "dt_proj",
          "dt",
          "in_proj_a",
          "in_proj_b",
          "in_proj_ba",
          "ba_proj",
          "a_proj",
          "b_proj",
          "weights_proj",
          "f_a",
          "f_b",
          "g_a",
          "g_b",
          "f_a_proj",
          "f_b_proj",
          "g_a_proj",
          "g_b_proj",
          "block_inject_weight",
          "input_mix_weight_down",
          "input_mix_weight_up");

  /** Both sides of an inner length, which is long but in adapters. */
  static final Set<String> BOTTLENECK = Set.of("up", "down");

  /**
   * Gates, of which only the number of rows tells whether they weigh channels or whole heads and
   * experts.
   */
  static final Set<String> GATES = Set.of("gate", "gates", "gating", "wg");

  /** Matrices that read a layer's input. */
  static final Set<String> INPUTS =
      Set.of(
          "q", "k", "v", "qkv", "kv", "qk", "query", "key", "value", "queries", "keys", "values",
          "wq", "wk", "wv", "wkv", "wqk", "wqkv", "up", "gate", "wg", "w1", "w3", "w13", "v1", "wi",
          "fc1", "fc0", "in", "input", "fc", "lin1", "linear1");

  /** Matrices that write a layer's output. */
  static final Set<String> OUTPUTS =
      Set.of("o", "wo", "out", "output", "down", "w2", "fc2", "lin2", "linear2", "proj");

  /** Names of matrices that are multiplied, however few rows they have in a small model. */
  static final Set<String> MATRICES =
      Set.of(
          "q",
          "k",
          "v",
          "o",
          "qkv",
          "kv",
          "qk",
          "query",
          "key",
          "value",
          "queries",
          "keys",
          "values",
          "wq",
          "wk",
          "wv",
          "wo",
          "wkv",
          "wqk",
          "wqkv",
          "up",
          "down",
          "fc",
          "fc0",
          "fc1",
          "fc2",
          "w1",
          "w2",
          "w3",
          "w13",
          "v1",
          "wi",
          "dense",
          "lin1",
          "lin2",
          "linear1",
          "linear2",
          "attn",
          "receptance");

  private LayerWords() {}
}
