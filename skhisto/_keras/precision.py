"""The number format that a network computes in."""

import os
from functools import cache

import tensorflow as tf

# Keras' policies in which weights, loss and probabilities stay float32.
POLICIES = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}

_NATIVE_CPU_FLAGS = {"amx_bf16", "avx512_bf16"}
_AMPERE = (8, 0)  # the first compute capability with bfloat16


def resolve(precision: str) -> str:
    """Return a precision, of "auto" the one that is native here and fast."""
    if precision == "auto":
        return _native()
    if precision not in POLICIES:
        raise ValueError(f"precision={precision!r} is none of {[*POLICIES, 'auto']}.")
    return precision


@cache
def _native() -> str:
    """Tell whether bfloat16 is native: asked once, so that it is the same for all fits.

    By the processor's name of its features and not by the clock: a measurement could
    decide otherwise the next time, and change results.
    """
    gpus = tf.config.get_visible_devices("GPU")
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        capabilities = [d.get("compute_capability", (0, 0)) for d in details]
        return "bfloat16" if min(capabilities) >= _AMPERE else "float32"
    # Without oneDNN TensorFlow emulates bfloat16 on every processor.
    onednn = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1").lower()
    has_onednn = onednn not in ("0", "false")
    return "bfloat16" if has_onednn and _NATIVE_CPU_FLAGS & _cpu_flags() else "float32"


def _cpu_flags() -> set[str]:
    """Read the processor's features; none where the system is not Linux."""
    try:
        with open("/proc/cpuinfo") as file:
            lines = [line for line in file if line.startswith("flags")]
    except OSError:
        return set()
    return set(lines[0].partition(":")[2].split()) if lines else set()
