package io.cafeq.engine.compute.nd4j;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.openblas.global.openblas_nolapack;

/** The functions of ND4J's OpenBLAS that its Java binding leaves out. */
final class OpenBlas {
  private final SymbolLookup symbols;

  OpenBlas() {
    String binding = Loader.load(openblas_nolapack.class);
    if (binding == null) {
      throw new UnsatisfiedLinkError(
          "the OpenBLAS library of this platform is not on the class path");
    }
    // The binding is unpacked beside the library that it links to; opening that once more gives the
    // one already loaded.
    symbols =
        SymbolLookup.libraryLookup(
            Path.of(binding).resolveSibling("libopenblas.so.0"), Arena.global());
  }

  void setThreads(int count) {
    try {
      Linker.nativeLinker()
          .downcallHandle(
              symbols.findOrThrow("openblas_set_num_threads"),
              FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT))
          .invokeExact(count);
    } catch (Throwable e) {
      throw new IllegalStateException("OpenBLAS does not take a number of threads", e);
    }
  }

  /** The kernel that was picked for this CPU, such as {@code SkylakeX}. */
  String core() {
    return text("openblas_get_corename");
  }

  /** Version and build options. */
  String configuration() {
    return text("openblas_get_config");
  }

  private String text(String function) {
    try {
      MemorySegment text =
          (MemorySegment)
              Linker.nativeLinker()
                  .downcallHandle(
                      symbols.findOrThrow(function), FunctionDescriptor.of(ValueLayout.ADDRESS))
                  .invokeExact();
      return text.reinterpret(1024).getString(0).strip();
    } catch (Throwable e) {
      throw new IllegalStateException("OpenBLAS does not answer " + function, e);
    }
  }
}
