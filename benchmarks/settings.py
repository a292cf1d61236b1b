"""What two environment variables of TensorFlow change, for skhisto and for Keras."""

import os
from typing import Any

from benchmarks.contenders import BATCH_SIZE, Keras, Skhisto
from benchmarks.contest import Entry
from benchmarks.options import Options
from benchmarks.table import Section
from benchmarks.throughput import measure_throughput

ONEDNN = {"TF_ENABLE_ONEDNN_OPTS": "1"}
ALLOCATOR = {"TF_CPU_ALLOCATOR_USE_BFC": "true"}
SETTINGS = {
    "as it is": {},
    "TF_ENABLE_ONEDNN_OPTS=1": ONEDNN,
    "TF_CPU_ALLOCATOR_USE_BFC=true": ALLOCATOR,
    "both": ONEDNN | ALLOCATOR,
}


def make_with(variables: dict[str, str], make: Any, *arguments: Any) -> Any:
    """Make a contender in a process with these variables, before TensorFlow is in."""
    os.environ.update(variables)
    return make(*arguments)


def run(options: Options) -> Section:
    """Measure the settings."""
    entries: dict[str, Entry] = {}
    for name, variables in SETTINGS.items():
        entries[f"skhisto, {name}"] = (make_with, (variables, Skhisto, "float32"))
        entries[f"Keras, {name}"] = (make_with, (variables, Keras))
    n_batches, batch_size = (1, 16) if options.quick else (5, BATCH_SIZE)
    tables = []
    for method in ("train", "predict"):
        table = measure_throughput(
            entries,
            method,
            n_batches=n_batches,
            batch_size=batch_size,
            n_rounds=options.few_rounds,
            limit_s=15,
            ours={"skhisto as it is / this": "skhisto, as it is"},
        )
        table.caption = "Training:" if method == "train" else "Prediction:"
        tables.append(table)
    return Section(
        "Settings of TensorFlow",
        "The reference network in float32 as above, with environment variables of "
        "TensorFlow that are set before it is imported. It takes oneDNN's kernels by "
        "itself where the processor has AVX512-VNNI or newer instructions. A ratio "
        "below 1 is faster than skhisto without the variables.",
        tables,
    )
