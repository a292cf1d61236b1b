"""Effects of two environment variables of TensorFlow on skhisto and on Keras."""

import os
from typing import Any

from benchmarks.contest import Entry
from benchmarks.options import Options
from benchmarks.speed.contenders import Keras, Skhisto
from benchmarks.speed.throughput import measure_throughput
from benchmarks.table import Section

ONEDNN = {"TF_ENABLE_ONEDNN_OPTS": "1"}
ALLOCATOR = {"TF_CPU_ALLOCATOR_USE_BFC": "true"}
SETTINGS = {
    "default": {},
    "TF_ENABLE_ONEDNN_OPTS=1": ONEDNN,
    "TF_CPU_ALLOCATOR_USE_BFC=true": ALLOCATOR,
    "both": ONEDNN | ALLOCATOR,
}


def make_with(variables: dict[str, str], make: Any, *arguments: Any) -> Any:
    """Set variables before TensorFlow is imported, and make a contender."""
    os.environ.update(variables)
    return make(*arguments)


def run(options: Options) -> Section:
    """Measure the settings."""
    entries: dict[str, Entry] = {}
    for name, variables in SETTINGS.items():
        entries[f"skhisto, {name}"] = (make_with, (variables, Skhisto, "float32"))
        entries[f"Keras, {name}"] = (make_with, (variables, Keras))
    tables = [
        measure_throughput(
            f"settings, {method}",
            entries,
            method,
            options,
            n_batches=5,
            n_rounds=options.few_rounds,
            ours={"skhisto default / this": "skhisto, default"},
        )
        for method in ("train", "predict")
    ]
    for title, table in zip(("Training", "Prediction"), tables, strict=True):
        table.caption = f"{title}, {table.caption}"
    return Section(
        "Settings of TensorFlow",
        "The reference network in float32, with environment variables of TensorFlow "
        "that are set before its import. TensorFlow uses oneDNN by default if the "
        "processor has AVX512-VNNI or newer instructions. A ratio below 1 is faster "
        "than skhisto without the variables.",
        tables,
    )
