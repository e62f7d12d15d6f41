package io.cafeq.engine.checkpoint;

import io.cafeq.engine.result.ResultLayout;
import io.cafeq.engine.store.CheckpointStore;
import io.cafeq.engine.text.Shell;
import java.util.List;
import java.util.Optional;

/**
 * Folders that hold models and are none themselves. Asked only where there are no weights under
 * their usual names.
 */
enum FolderKind {
  /** What this program wrote. */
  RESULT {
    @Override
    boolean is(FolderNames names) {
      return layout(names.store()).filter(ResultLayout::isResult).isPresent();
    }

    @Override
    CheckpointException refusal(CheckpointStore store) {
      return layout(store).filter(ResultLayout::isComplete).isPresent()
          ? new CheckpointException(
              store.location() + ": is a result of cafeq, which is quantized already",
              "Give the checkpoint that it was made from, or make one of it first with \"cafeq"
                  + " export "
                  + Shell.quoted(store.location())
                  + " --format dense --out DIR\".")
          : new CheckpointException(
              store.location() + ": is an unfinished result of cafeq",
              "Give the checkpoint that it is made from; the same quantize command as before"
                  + " finishes the result.");
    }
  },
  ADAPTER {
    @Override
    boolean is(FolderNames names) {
      return names.candidates().isEmpty() && names.has(Adapter.CONFIG);
    }

    @Override
    CheckpointException refusal(CheckpointStore store) {
      return Adapter.refusal(store.location(), store);
    }
  },
  DIFFUSERS_PIPELINE {
    @Override
    boolean is(FolderNames names) {
      return names.has("model_index.json") && !names.has(JsonFile.CONFIG);
    }

    @Override
    CheckpointException refusal(CheckpointStore store) {
      return new CheckpointException(
          store.location()
              + ": is a pipeline of diffusers, whose models are in folders of their own",
          FolderNames.of(store)
              .modelBelow(FolderNames::holdsLanguageModel)
              .map(model -> "Give the folder of one of its language models, such as " + model + ".")
              .orElse(
                  "No step helps: none of its folders holds a language model in safetensors"
                      + " files."));
    }
  },
  SENTENCE_TRANSFORMER {
    @Override
    boolean is(FolderNames names) {
      return names.candidates().isEmpty() && names.has(MODULES);
    }

    @Override
    CheckpointException refusal(CheckpointStore store) {
      Optional<String> model = FolderNames.of(store).modelBelow(FolderNames::holdsLanguageModel);
      return new CheckpointException(
          store.location()
              + ": is a model of sentence-transformers, whose "
              + MODULES
              + " puts its parts into folders of their own",
          model
              .map(found -> "Give the folder of its model: " + found + ".")
              .orElse(
                  "Convert its model to safetensors first: load it with sentence-transformers, then"
                      + " save_pretrained into a new folder."));
    }
  },
  ORIGINAL {
    @Override
    boolean is(FolderNames names) {
      return !names.has(JsonFile.CONFIG)
          && names.all().stream()
              .anyMatch(name -> name.matches("consolidated.*\\.(pth|safetensors)"));
    }

    @Override
    CheckpointException refusal(CheckpointStore store) {
      return new CheckpointException(
          store.location()
              + ": holds a model in its maker's own form (consolidated files, without config.json)",
          "Take the model in Hugging Face form, with config.json and model.safetensors or its"
              + " shards, or make it so with the conversion script that transformers has for this"
              + " family (convert_..._weights_to_hf.py).");
    }
  };

  private static final String MODULES = "modules.json";

  /** Results are on this machine. */
  private static Optional<ResultLayout> layout(CheckpointStore store) {
    return store.localFolder().map(ResultLayout::new);
  }

  static Optional<FolderKind> recognise(FolderNames names) {
    return List.of(values()).stream().filter(kind -> kind.is(names)).findFirst();
  }

  abstract boolean is(FolderNames names);

  /** What the folder is, with a remedy that names what is really there. */
  abstract CheckpointException refusal(CheckpointStore store);
}
