package io.cafeq.engine.export.gguf;

import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.checkpoint.DurableFile;
import io.cafeq.engine.export.Answer;
import io.cafeq.engine.export.ExportCheck;
import io.cafeq.engine.export.ExportFormat;
import io.cafeq.engine.export.ExportOption;
import io.cafeq.engine.export.ExportOptions;
import io.cafeq.engine.export.ExportProgress;
import io.cafeq.engine.export.Exported;
import io.cafeq.engine.export.LeftBehind;
import io.cafeq.engine.export.Limit;
import io.cafeq.engine.export.ScaleFolds;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.modelconfig.ModelConfig;
import io.cafeq.engine.modelconfig.TextConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Writes a finished result as one file that llama.cpp and what is built on it load. Codes and
 * scales go over as they are; a written file is read back and compared before it gets its name.
 * Streams in the memory of {@link ResultReader} and some MB beside the vocabulary.
 */
public final class GgufExport implements ExportFormat<GgufExport.Options> {
  private static final String PRE = "pre";
  private static final String VOCABULARY = "token_embd.weight";
  private static final int QUANTIZATION_VERSION = 2;

  /**
   * Options of users.
   *
   * @param pre what llama.cpp calls the way in which the tokenizer cuts text into words; found
   *     where empty
   */
  public record Options(Optional<String> pre) {}

  @Override
  public String id() {
    return "gguf";
  }

  @Override
  public String description() {
    return "one GGUF file for llama.cpp, LM Studio, Ollama and others, of a result made with"
        + " --target gguf";
  }

  @Override
  public List<ExportOption> options() {
    return List.of(
        new ExportOption(
            PRE,
            "NAME",
            "What llama.cpp calls the tokenizer's way of cutting text into words. Default: found"
                + " in tokenizer.json."));
  }

  @Override
  public Options read(ExportOptions given) {
    return new Options(given.text(PRE));
  }

  @Override
  public ExportCheck check(ResultReader result, Options options) {
    TextConfig text = ModelConfig.of(result.config()).text();
    Optional<Architecture> architecture = architecture(text);
    if (architecture.isEmpty()) {
      return new ExportCheck(
          List.of(
              new Answer.Refuses(
                  "models of type "
                      + text.modelTypes().stream().reduce((first, last) -> last).orElse("unknown")
                      + " are not known to this format, which knows "
                      + Architecture.known(),
                  "Export as dense and use llama.cpp's converter.")),
          List.of());
    }
    Contents contents = Contents.of(result, architecture.get(), text, options);
    List<Answer.Refuses> whole = new ArrayList<>(contents.plan().whole());
    whole.addAll(contents.tokenizer().refusals());
    contents
        .keys()
        .refusals()
        .forEach(
            reason ->
                whole.add(
                    new Answer.Refuses(
                        reason, "Export as dense and use a program that computes the same.")));
    return ExportCheck.of(
            result, List.of(Limit.transforms(Set.of()), unfolded(result), Limit.ordinaryRows()))
        .and(new ExportCheck(whole, contents.plan().refused()));
  }

  private static Limit unfolded(ResultReader result) {
    ScaleFolds folds = ScaleFolds.of(result);
    return form ->
        folds.isLeft(form.header().name()) ? Limit.unscaled().against(form) : Optional.empty();
  }

  private static Optional<Architecture> architecture(TextConfig text) {
    return text.modelTypes().reversed().stream().findFirst().flatMap(Architecture::of);
  }

  /** All that goes into the file. */
  private record Contents(
      ModelKeys keys, TensorPlan plan, TokenizerKeys tokenizer, boolean hasTokenizer) {
    static Contents of(
        ResultReader result, Architecture architecture, TextConfig text, Options options) {
      ModelKeys keys = new ModelKeys(architecture, text);
      TensorPlan plan = TensorPlan.of(result, architecture, keys);
      Optional<TokenizerFiles> files = TokenizerFiles.of(result, text.node());
      TokenizerKeys tokenizer =
          files
              .map(found -> TokenizerKeys.of(found, vocabulary(plan), options.pre()))
              .orElseGet(TokenizerKeys::none);
      return new Contents(keys, plan, tokenizer, files.isPresent());
    }

    private static int vocabulary(TensorPlan plan) {
      return plan.tensors().stream()
          .filter(tensor -> tensor.name().equals(VOCABULARY))
          .map(tensor -> Math.toIntExact(tensor.shape().getFirst()))
          .findFirst()
          .orElse(0);
    }
  }

  /** The file as it is to be: name, keys and tensors. */
  private record Draft(
      Contents contents, String name, Map<String, GgufValue> values, List<Outgoing> tensors) {
    static Draft of(ResultReader result, Options options) {
      TextConfig text = ModelConfig.of(result.config()).text();
      Architecture architecture = architecture(text).orElseThrow();
      Contents contents = Contents.of(result, architecture, text, options);
      List<Outgoing> tensors = contents.plan().tensors();
      GgufType most = mostUsed(tensors);
      return new Draft(
          contents,
          fileName(result) + "-" + most + ".gguf",
          GgufExport.values(result, architecture, contents, most),
          tensors);
    }
  }

  @Override
  public Exported write(
      ResultReader result, Path folder, Options options, StopFlag stop, ExportProgress progress) {
    Draft draft = Draft.of(result, options);
    List<GgufTensor> placed =
        HeaderWriter.placed(draft.tensors().stream().map(Outgoing::unplaced).toList());
    progress.begin(draft.tensors().stream().mapToLong(Outgoing::weights).sum());
    try (DurableFile file = DurableFile.create(folder.resolve(draft.name()))) {
      HeaderWriter.write(draft.values(), placed, file::append);
      TensorWriter writer = new TensorWriter(new SourceRows(result), file, stop);
      for (Outgoing tensor : draft.tensors()) {
        writer.write(tensor);
        progress.advanced(tensor.weights());
      }
      file.publish();
    }
    Contents contents = draft.contents();
    List<String> warnings = new ArrayList<>(contents.keys().warnings());
    if (!contents.hasTokenizer()) {
      warnings.add(
          "The result has no tokenizer.json, so the file has no tokenizer: programs must give it"
              + " token ids.");
    }
    return new Exported(
        placed.size(),
        placed.stream().mapToLong(GgufTensor::bytes).sum(),
        leftBehind(result, contents),
        warnings);
  }

  @Override
  public void prove(ResultReader result, Path folder, Options options, StopFlag stop) {
    Draft draft = Draft.of(result, options);
    new GgufProof(folder.resolve(draft.name()), new SourceRows(result), stop)
        .check(draft.values(), draft.tensors());
  }

  private static List<LeftBehind> leftBehind(ResultReader result, Contents contents) {
    List<LeftBehind> leftBehind = new ArrayList<>(contents.plan().leftBehind());
    result
        .manifest()
        .sideFiles()
        .forEach(
            file ->
                leftBehind.add(
                    new LeftBehind(file.path(), "the file holds what llama.cpp reads of it")));
    return leftBehind;
  }

  private static Map<String, GgufValue> values(
      ResultReader result, Architecture architecture, Contents contents, GgufType most) {
    Map<String, GgufValue> values = new LinkedHashMap<>();
    values.put("general.architecture", new GgufValue.Text(architecture.id()));
    values.put("general.type", new GgufValue.Text("model"));
    values.put("general.name", new GgufValue.Text(result.manifest().source().name()));
    values.put("general.file_type", new GgufValue.Count(most.fileType()));
    values.put("general.quantization_version", new GgufValue.Count(QUANTIZATION_VERSION));
    values.put("general.alignment", new GgufValue.Count(HeaderWriter.ALIGNMENT));
    values.putAll(contents.keys().values());
    values.put(
        architecture.id() + ".vocab_size",
        new GgufValue.Count(Contents.vocabulary(contents.plan())));
    values.putAll(contents.tokenizer().values());
    return values;
  }

  /** The type of most weights in matrices of layers, else of most weights. */
  private static GgufType mostUsed(List<Outgoing> tensors) {
    Map<GgufType, Long> counts = new EnumMap<>(GgufType.class);
    tensors.stream()
        .filter(tensor -> tensor.name().startsWith("blk.") || tensors.size() == 1)
        .forEach(tensor -> counts.merge(tensor.type(), tensor.weights(), Long::sum));
    return counts.entrySet().stream()
        .max(Map.Entry.comparingByValue())
        .map(Map.Entry::getKey)
        .orElse(GgufType.F32);
  }

  private static String fileName(ResultReader result) {
    String name = result.manifest().source().name().replaceAll("[^A-Za-z0-9._-]+", "-");
    String trimmed = name.replaceAll("^[.-]+|[.-]+$", "");
    return trimmed.isEmpty() ? "model" : trimmed;
  }
}
