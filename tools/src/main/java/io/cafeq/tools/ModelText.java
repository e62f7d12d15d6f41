package io.cafeq.tools;

/** Help text of parameters that name a checkpoint. */
final class ModelText {
  static final String DESCRIPTION =
      "A checkpoint in Hugging Face form: a folder, a .safetensors file, https://HOST/PATH/, or"
          + " hf://ORGANIZATION/MODEL with @REVISION where it is not main.";

  private ModelText() {}
}
