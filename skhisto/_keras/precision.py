"""The number format of computations."""

import os
from functools import cache

import tensorflow as tf

# Keras policies in which weights, loss and probabilities are float32.
POLICIES = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}

_NATIVE_CPU_FLAGS = {"amx_bf16", "avx512_bf16"}
_AMPERE = (8, 0)  # the first compute capability with bfloat16


def resolve(precision: str) -> str:
    """Return the precision. "auto" becomes a precision that the hardware supports."""
    if precision == "auto":
        return explain_auto()[0]
    if precision not in POLICIES:
        raise ValueError(
            f"precision must be one of {[*POLICIES, 'auto']}; got {precision!r}."
        )
    return precision


@cache
def explain_auto() -> tuple[str, str]:
    """Return the precision for "auto" on this machine, and the reason as a sentence.

    bfloat16 is selected if the hardware supports it natively. The result is cached, so
    that all fits use the same precision. The selection depends on the features of the
    processor. A speed measurement could give different results in different runs.
    """
    gpus = tf.config.get_visible_devices("GPU")
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        lowest = min(d.get("compute_capability", (0, 0)) for d in details)
        reason = f"The compute capability of the GPU is {lowest[0]}.{lowest[1]}"
        if lowest >= _AMPERE:
            return "bfloat16", f"{reason}, and bfloat16 is native from 8.0 on."
        return "float32", f"{reason}, and bfloat16 needs 8.0."
    # Without oneDNN, TensorFlow emulates bfloat16 on all processors.
    onednn = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1").lower()
    if onednn in ("0", "false"):
        return "float32", "TF_ENABLE_ONEDNN_OPTS disables oneDNN."
    native = sorted(_NATIVE_CPU_FLAGS & _cpu_flags())
    if native:
        return "bfloat16", f"The processor has {' and '.join(native)}."
    names = " or ".join(sorted(_NATIVE_CPU_FLAGS))
    return "float32", f"The processor does not report {names}."


def _cpu_flags() -> set[str]:
    """Return the features of the processor on Linux, and none on other systems."""
    try:
        with open("/proc/cpuinfo") as file:
            lines = [line for line in file if line.startswith("flags")]
    except OSError:
        return set()
    return set(lines[0].partition(":")[2].split()) if lines else set()
