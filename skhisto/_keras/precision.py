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
        return explain_auto()[0]
    if precision not in POLICIES:
        raise ValueError(f"precision={precision!r} is none of {[*POLICIES, 'auto']}.")
    return precision


@cache
def explain_auto() -> tuple[str, str]:
    """Return what "auto" is here, and a sentence that says why.

    bfloat16 is chosen where it is native. This is asked once, so that it is the same
    for all fits. The processor's names of its features decide, and not the clock: a
    measurement could decide otherwise the next time, and change results.
    """
    gpus = tf.config.get_visible_devices("GPU")
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        lowest = min(d.get("compute_capability", (0, 0)) for d in details)
        reason = f"The compute capability of the GPU is {lowest[0]}.{lowest[1]}"
        if lowest >= _AMPERE:
            return "bfloat16", f"{reason}, and bfloat16 is native from 8.0 on."
        return "float32", f"{reason}, and bfloat16 needs 8.0."
    # Without oneDNN TensorFlow emulates bfloat16 on every processor.
    onednn = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1").lower()
    if onednn in ("0", "false"):
        return "float32", "TF_ENABLE_ONEDNN_OPTS switches oneDNN off."
    native = sorted(_NATIVE_CPU_FLAGS & _cpu_flags())
    if native:
        return "bfloat16", f"The processor has {' and '.join(native)}."
    names = " nor ".join(sorted(_NATIVE_CPU_FLAGS))
    return "float32", f"The processor is not known to have {names}."


def _cpu_flags() -> set[str]:
    """Read the processor's features; none where the system is not Linux."""
    try:
        with open("/proc/cpuinfo") as file:
            lines = [line for line in file if line.startswith("flags")]
    except OSError:
        return set()
    return set(lines[0].partition(":")[2].split()) if lines else set()
