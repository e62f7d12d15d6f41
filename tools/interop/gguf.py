#!/usr/bin/env python3
"""Checks GGUF exports with the format's own package and with llama.cpp's library, and compares with its quantizer.

  gguf.py decode FILE.gguf DENSE         every tensor of a file, decoded by the gguf package, beside the dense export
  gguf.py load FILE.gguf...              llama.cpp loads each file and computes logits of a few tokens
  gguf.py compare MODEL PLAIN.gguf FILE.gguf... --calibration TEXT --text TEXT [--types Q4_0,Q4_1] [--windows N]
                                         perplexity and mean KL divergence from MODEL (Llama family, computed here in
                                         float32) of each file, and of what llama_model_quantize makes of PLAIN.gguf
                                         with an importance matrix from the first tokens of the calibration text

Needs gguf, numpy, ml_dtypes, safetensors and, to compare, tokenizers; and llama.cpp's library as npm ships it:
LLAMA_LIB=node_modules/@node-llama-cpp/linux-x64/bins/linux-x64. Skips with a message where one of them is missing.
"""
import argparse
import ctypes
import json
import math
import os
import sys
import tempfile
from pathlib import Path


# This file has the name of the package that it needs.
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]


def skip(what):
    print(f"skipped: {what}")
    sys.exit(0)


try:
    import gguf
    import ml_dtypes
    import numpy as np
    from safetensors import safe_open
except ImportError as missing:
    skip(f"Python package {missing.name} is missing")

FILE_TYPES = {"Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "Q5_0": 8, "Q5_1": 9, "Q2_K": 10, "Q3_K_S": 11, "Q3_K_M": 12,
              "Q4_K_S": 14, "Q4_K_M": 15, "Q5_K_S": 16, "Q5_K_M": 17, "Q6_K": 18}
NAMES = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
         "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
         "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}


class Blob(ctypes.Structure):
    """A struct of parameters whose fields are of no interest beyond the first ones; larger than any of them."""
    _fields_ = [("bytes", ctypes.c_uint8 * 512)]

    def set(self, offset, value):
        ctypes.memmove(ctypes.addressof(self) + offset, ctypes.byref(value), ctypes.sizeof(value))


class Batch(ctypes.Structure):
    _fields_ = [("n_tokens", ctypes.c_int32), ("token", ctypes.POINTER(ctypes.c_int32)), ("embd", ctypes.c_void_p),
                ("pos", ctypes.POINTER(ctypes.c_int32)), ("n_seq_id", ctypes.POINTER(ctypes.c_int32)),
                ("seq_id", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))), ("logits", ctypes.POINTER(ctypes.c_int8))]


class Importance(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("data", ctypes.POINTER(ctypes.c_float)), ("size", ctypes.c_size_t)]


class Library:
    def __init__(self):
        folder = os.environ.get("LLAMA_LIB")
        found = sorted(Path(folder).glob("libllama.*so*")) if folder else []
        found = [f for f in found if "common" not in f.name]
        if not found:
            skip("LLAMA_LIB names no folder with llama.cpp's library")
        for name in ("libggml-base.so", "libggml.*so*"):
            for file in sorted(Path(folder).glob(name)):
                ctypes.CDLL(str(file), mode=ctypes.RTLD_GLOBAL)
        ggml = ctypes.CDLL(str(sorted(Path(folder).glob("libggml.*so*"))[0]), mode=ctypes.RTLD_GLOBAL)
        lib = self.lib = ctypes.CDLL(str(found[0]))
        callback = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
        self.quiet = callback(lambda level, text, data: self.heard.append(text) if level >= 4 else None)
        self.heard = []
        lib.llama_log_set(self.quiet, None)
        ggml.ggml_backend_load_all_from_path.argtypes = [ctypes.c_char_p]
        ggml.ggml_backend_load_all_from_path(folder.encode())
        lib.llama_backend_init()
        for name in ("model", "context", "model_quantize"):
            getattr(lib, f"llama_{name}_default_params").restype = Blob
        lib.llama_model_load_from_file.restype = ctypes.c_void_p
        lib.llama_model_load_from_file.argtypes = [ctypes.c_char_p, Blob]
        lib.llama_init_from_model.restype = ctypes.c_void_p
        lib.llama_init_from_model.argtypes = [ctypes.c_void_p, Blob]
        lib.llama_batch_init.restype = Batch
        lib.llama_decode.argtypes = [ctypes.c_void_p, Batch]
        lib.llama_get_logits.restype = ctypes.POINTER(ctypes.c_float)
        for name in ("llama_get_logits", "llama_free", "llama_model_free", "llama_model_get_vocab", "llama_get_memory"):
            getattr(lib, name).argtypes = [ctypes.c_void_p]
        for name in ("llama_model_get_vocab", "llama_get_memory"):
            getattr(lib, name).restype = ctypes.c_void_p
        lib.llama_vocab_n_tokens.argtypes = [ctypes.c_void_p]
        lib.llama_memory_clear.argtypes = [ctypes.c_void_p, ctypes.c_bool]
        lib.llama_set_n_threads.argtypes = [ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32]
        lib.llama_model_quantize.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(Blob)]

    def logits(self, file, windows):
        """Gives the logits of each window of tokens."""
        lib = self.lib
        model = lib.llama_model_load_from_file(str(file).encode(), lib.llama_model_default_params())
        if not model:
            sys.exit(f"llama.cpp does not load {file}: {b''.join(self.heard).decode(errors='replace')}")
        vocabulary = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(model))
        longest = max(map(len, windows))
        parameters = lib.llama_context_default_params()
        for offset in (0, 4, 8):  # n_ctx, n_batch, n_ubatch
            parameters.set(offset, ctypes.c_uint32(max(longest, 64)))
        context = lib.llama_init_from_model(model, parameters)
        lib.llama_set_n_threads(context, 2, 2)
        try:
            for window in windows:
                lib.llama_memory_clear(lib.llama_get_memory(context), True)
                batch = lib.llama_batch_init(len(window), 0, 1)
                batch.n_tokens = len(window)
                for i, token in enumerate(window):
                    batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = int(token), i, 1, 1
                    batch.seq_id[i][0] = 0
                if lib.llama_decode(context, batch) != 0:
                    sys.exit(f"llama.cpp cannot compute with {file}")
                yield np.ctypeslib.as_array(lib.llama_get_logits(context), (len(window), vocabulary)).copy()
        finally:
            lib.llama_free(context)
            lib.llama_model_free(model)

    def quantize(self, source, target, file_type, importance):
        """llama_model_quantize: the parameters begin with threads, file type, types of head and embedding."""
        entries = (Importance * (len(importance) + 1))()
        for i, (name, values) in enumerate(importance.items()):
            entries[i] = Importance(name.encode(), values.ctypes.data_as(ctypes.POINTER(ctypes.c_float)), values.size)
        parameters = self.lib.llama_model_quantize_default_params()
        parameters.set(0, ctypes.c_int32(2))
        parameters.set(4, ctypes.c_int32(FILE_TYPES[file_type]))
        parameters.set(24, ctypes.c_void_p(ctypes.addressof(entries)))
        if self.lib.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(parameters)) != 0:
            sys.exit(f"llama_model_quantize failed: {b''.join(self.heard).decode(errors='replace')}")


class Llama:
    """The original in float32, with what every matrix reads: mean squares by column."""

    def __init__(self, folder):
        self.config = json.loads((folder / "config.json").read_text())
        self.weights = {}
        for file in sorted(folder.glob("*.safetensors")):
            with safe_open(file, "np") as tensors:
                for name in tensors.keys():
                    self.weights[name] = tensors.get_tensor(name).astype(np.float32)
        self.squares, self.tokens = {}, 0

    def linear(self, x, name):
        self.squares[name] = self.squares.get(name, 0) + (x.astype(np.float64) ** 2).sum(0)
        return x @ self.weights[name + ".weight"].T

    def logits(self, ids):
        w, c, t = self.weights, self.config, len(ids)
        heads, kv_heads = c["num_attention_heads"], c["num_key_value_heads"]
        size, epsilon = c.get("head_dim") or c["hidden_size"] // heads, c["rms_norm_eps"]
        angle = np.outer(np.arange(t), c.get("rope_theta", 10000.0) ** -(np.arange(0, size, 2) / size))
        cos, sin = (np.concatenate([f(angle)] * 2, -1).astype(np.float32)[:, None] for f in (np.cos, np.sin))
        causal = np.triu(np.full((t, t), -1e30, np.float32), 1)
        norm = lambda x, name: x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * w[name + ".weight"]
        turn = lambda q: q * cos + np.concatenate([-q[..., size // 2:], q[..., :size // 2]], -1) * sin
        x = w["model.embed_tokens.weight"][ids]
        for layer in range(c["num_hidden_layers"]):
            p = f"model.layers.{layer}."
            h = norm(x, p + "input_layernorm")
            q, k, v = (self.linear(h, p + f"self_attn.{n}_proj").reshape(t, -1, size) for n in "qkv")
            q, k, out = turn(q), turn(k), np.empty((t, heads, size), np.float32)
            for head in range(heads):
                kv = head // (heads // kv_heads)
                a = q[:, head] @ k[:, kv].T / math.sqrt(size) + causal
                a = np.exp(a - a.max(-1, keepdims=True))
                out[:, head] = a / a.sum(-1, keepdims=True) @ v[:, kv]
            x = x + self.linear(out.reshape(t, -1), p + "self_attn.o_proj")
            h = norm(x, p + "post_attention_layernorm")
            gate = self.linear(h, p + "mlp.gate_proj")
            x = x + self.linear(gate / (1 + np.exp(-gate)) * self.linear(h, p + "mlp.up_proj"), p + "mlp.down_proj")
        self.tokens += t
        return norm(x, "model.norm") @ w.get("lm_head.weight", w["model.embed_tokens.weight"]).T

    def importance(self):
        named = {}
        for name, sums in self.squares.items():
            _, _, layer, inner = name.split(".", 3)
            named[f"blk.{layer}.{NAMES[inner]}.weight"] = (sums / self.tokens).astype(np.float32)
        return named


def log_softmax(logits):
    logits = logits.astype(np.float64)
    logits -= logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def decode(file, dense):
    """The dense export is the same weights, rounded to the source's type."""
    reader = gguf.GGUFReader(file)
    config = json.loads((dense / "config.json").read_text())
    tensors = {}
    for shard in sorted(dense.glob("*.safetensors")):
        with safe_open(shard, "np") as opened:
            tensors.update({name: opened.get_tensor(name) for name in opened.keys()})
    inner = {name: role for name, role in NAMES.items()}
    outer = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
    compared = 0
    for tensor in reader.tensors:
        values = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        stem = tensor.name.removesuffix(".weight")
        if stem.startswith("blk."):
            _, layer, role = stem.split(".", 2)
            source = next(f"model.layers.{layer}.{n}" for n, r in inner.items() if r == role)
        elif stem in outer:
            role, source = stem, outer[stem]
        else:
            continue
        expected = tensors[source + ".weight"]
        if role in ("attn_q", "attn_k"):
            heads = config["num_attention_heads" if role == "attn_q" else "num_key_value_heads"]
            rows = expected.shape[0]
            expected = expected.reshape(heads, 2, rows // heads // 2, -1).swapaxes(1, 2).reshape(rows, -1)
        values = values.reshape(expected.shape).astype(expected.dtype)
        if values.tobytes() != expected.tobytes():
            sys.exit(f"{tensor.name} differs from {source}")
        compared += 1
    print(f"{file}: {compared} tensors are those of {dense}, gguf {gguf.__version__ if hasattr(gguf, '__version__') else ''}")


def compare(arguments):
    try:
        from tokenizers import Tokenizer
    except ImportError:
        skip("Python package tokenizers is missing")
    library, model = Library(), Llama(arguments.model)
    tokenizer = Tokenizer.from_file(str(arguments.model / "tokenizer.json"))
    ids = lambda text: np.array(tokenizer.encode(text, add_special_tokens=False).ids)
    length = arguments.window
    first = ids(arguments.calibration.read_text()[: 8 * arguments.tokens])[: arguments.tokens]
    for at in range(0, len(first), length):
        model.logits(first[at : at + length])
    importance = model.importance()
    text = ids(arguments.text.read_text()[-12 * arguments.windows * length :])
    windows = [text[i * length : (i + 1) * length] for i in range(arguments.windows)]
    original = [log_softmax(model.logits(window)).astype(np.float32) for window in windows]

    def judge(file, name):
        losses, divergences = [], []
        for window, expected, found in zip(windows, original, library.logits(file, windows)):
            found = log_softmax(found)
            losses.append(-found[np.arange(len(window) - 1), window[1:]])
            divergences.append((np.exp(expected) * (expected - found)).sum(-1))
        print(f"{name:40} {Path(file).stat().st_size / 1e6:8.2f} MB  perplexity "
              f"{math.exp(np.concatenate(losses).mean()):9.4f}  KL {np.concatenate(divergences).mean():.5f}", flush=True)

    losses = [-o[np.arange(len(w) - 1), w[1:]] for w, o in zip(windows, original)]
    print(f"{'original, float32':40} {'':11}  perplexity {math.exp(np.concatenate(losses).mean()):9.4f}")
    judge(arguments.plain, arguments.plain.name)
    for file in arguments.files:
        judge(file, "ours " + file.parent.name)
    with tempfile.TemporaryDirectory() as folder:
        for file_type in filter(None, arguments.types.split(",")):
            target = Path(folder) / f"{file_type}.gguf"
            library.quantize(arguments.plain, target, file_type, importance)
            judge(target, "llama_model_quantize " + file_type)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("decode")
    one.add_argument("file", type=Path)
    one.add_argument("dense", type=Path)
    one = commands.add_parser("load")
    one.add_argument("files", type=Path, nargs="+")
    one = commands.add_parser("compare")
    one.add_argument("model", type=Path)
    one.add_argument("plain", type=Path)
    one.add_argument("files", type=Path, nargs="*")
    one.add_argument("--calibration", type=Path, required=True)
    one.add_argument("--text", type=Path, required=True)
    one.add_argument("--types", default="Q4_0,Q4_1,Q5_0,Q4_K_M")
    one.add_argument("--tokens", type=int, default=4096)
    one.add_argument("--window", type=int, default=256)
    one.add_argument("--windows", type=int, default=8)
    arguments = parser.parse_args()
    match arguments.command:
        case "decode":
            decode(arguments.file, arguments.dense)
        case "load":
            library = Library()
            for file in arguments.files:
                (logits,) = library.logits(file, [np.arange(1, 9)])
                if not np.isfinite(logits).all():
                    sys.exit(f"{file}: logits are not finite")
                print(f"{file.name}: {logits.shape[1]} logits of {logits.shape[0]} tokens, spread {logits.std():.4f}")
        case "compare":
            compare(arguments)


if __name__ == "__main__":
    main()
