#!/usr/bin/env python3
"""Decodes a packed export by the rules of its format, in numpy, and compares it with the dense export of the same result.

Of a result made with --no-column-scales: with them the matrices of both differ by what the norms before them take over.

  packed.py FORMAT DIR DENSE      FORMAT: compressed-tensors, mlx or gptq

With the package mlx, mlx.core.dequantize decodes MLX checkpoints too, in float32, and with mlx-lm the checkpoint is loaded
and computes the logits of a few tokens beside the dense one. Needs numpy and ml_dtypes; skips with a message where they
are missing. Exit code 1 where a weight differs.
"""
import json
import struct
import sys
from pathlib import Path


def skip(what):
    print(f"skipped: {what}")
    sys.exit(0)


try:
    import ml_dtypes
    import numpy as np
except ImportError as missing:
    skip(f"Python package {missing.name} is missing")

TYPES = {"BF16": ml_dtypes.bfloat16, "F16": np.float16, "F32": np.float32, "I32": np.int32, "U32": np.uint32,
         "I64": np.int64}


def load(folder):
    tensors = {}
    for file in sorted(Path(folder).glob("*.safetensors")):
        raw = file.read_bytes()
        (length,) = struct.unpack("<Q", raw[:8])
        for name, entry in json.loads(raw[8 : 8 + length]).items():
            if name != "__metadata__":
                begin, end = (8 + length + offset for offset in entry["data_offsets"])
                tensors[name] = np.frombuffer(raw[begin:end], TYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def unpack(words, bits, count):
    """The first codes of each row of words, least significant bit first."""
    words = np.ascontiguousarray(words).view(np.uint32)
    stream = (words[..., None] >> np.arange(32, dtype=np.uint32)) & 1
    stream = stream.reshape(*words.shape[:-1], -1)[..., : count * bits].reshape(*words.shape[:-1], count, bits)
    return (stream << np.arange(bits, dtype=np.uint32)).sum(-1)


def spread(numbers, columns):
    return np.repeat(numbers.astype(np.float32), columns // numbers.shape[1], axis=1)


def compressed_tensors(tensors, config, name, shape):
    if name + "_packed" not in tensors:
        return None
    module = name.removesuffix(".weight")
    groups = config["quantization_config"]["config_groups"].values()
    named = [group for group in groups if module in group["targets"]]
    weights = (named or [group for group in groups if group["targets"] == ["Linear"]])[0]["weights"]
    assert list(tensors[name + "_shape"]) == list(shape), name
    bits = weights["num_bits"]
    zeros = np.float32(1 << (bits - 1))
    if not weights["symmetric"]:
        zeros = spread(unpack(tensors[name + "_zero_point"].T, bits, shape[0]).T, shape[1])
    codes = unpack(tensors[name + "_packed"], bits, shape[1]).astype(np.float32)
    return (codes - zeros) * spread(tensors[name + "_scale"], shape[1])


def mlx(tensors, config, name, shape):
    module = name.removesuffix(".weight")
    if module + ".scales" not in tensors:
        return None
    bits = config["quantization"].get(module, config["quantization"])["bits"]
    codes = unpack(tensors[name], bits, shape[1]).astype(np.float32)
    return codes * spread(tensors[module + ".scales"], shape[1]) + spread(tensors[module + ".biases"], shape[1])


def gptq(tensors, config, name, shape):
    module = name.removesuffix(".weight")
    if module + ".qweight" not in tensors:
        return None
    bits = config["quantization_config"]["bits"]
    scales = tensors[module + ".scales"].T
    assert (tensors[module + ".g_idx"] == np.arange(shape[1]) // (shape[1] // scales.shape[1])).all(), name
    codes = unpack(tensors[module + ".qweight"].T, bits, shape[1]).astype(np.float32)
    zeros = unpack(tensors[module + ".qzeros"], bits, shape[0]).T + 1
    return (codes - spread(zeros, shape[1])) * spread(scales, shape[1])


def by_mlx(folder, dense):
    try:
        import mlx.core as mx
    except ImportError:
        print("mlx is missing: decoded in numpy only")
        return
    tensors = {name: tensor for file in sorted(Path(folder).glob("*.safetensors")) for name, tensor in mx.load(str(file)).items()}
    quantization = json.loads((Path(folder) / "config.json").read_text())["quantization"]
    for name, expected in dense.items():
        module = name.removesuffix(".weight")
        if module + ".scales" in tensors:
            own = quantization.get(module, quantization)
            scales, biases = (tensors[module + part].astype(mx.float32) for part in (".scales", ".biases"))
            found = mx.dequantize(tensors[name], scales, biases, group_size=own["group_size"], bits=own["bits"])
            assert (np.array(found).astype(expected.dtype) == expected).all(), name
    print("mlx.core.dequantize gives the same weights")
    try:
        from mlx_lm.utils import load_model
    except ImportError:
        print("mlx-lm is missing: not loaded")
        return
    model, _ = load_model(Path(folder))
    logits = model(mx.array([[1, 2, 3, 4]]))
    assert mx.isfinite(logits).all().item()
    print("mlx-lm loads it; logits", logits.shape)


def main(form, folder, dense_folder):
    decoders = {"compressed-tensors": compressed_tensors, "mlx": mlx, "gptq": gptq}
    tensors, dense = load(folder), load(dense_folder)
    config = json.loads((Path(folder) / "config.json").read_text())
    decoded = wrong = 0
    for name, expected in dense.items():
        found = decoders[form](tensors, config, name, expected.shape) if expected.ndim == 2 else None
        if found is not None:
            decoded += 1
            if found.astype(expected.dtype).tobytes() != expected.tobytes():
                wrong += 1
                print(f"{name} differs by up to {np.abs(found - expected.astype(np.float32)).max()}")
    print(f"{form}: {decoded} matrices decoded, {wrong} differ from the dense export")
    if form == "mlx":
        by_mlx(folder, dense)
    sys.exit(1 if wrong or not decoded else 0)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
