"""Training the reference network: skhisto, Keras, scikeras, skorch with PyTorch."""

from benchmarks.contest import Entry
from benchmarks.options import Options
from benchmarks.speed.contenders import Keras, Scikeras, Skhisto, Skorch
from benchmarks.speed.throughput import OURS, OURS_AUTO, RATIOS, measure_throughput
from benchmarks.table import Section

ENTRIES: dict[str, Entry] = {
    OURS: (Skhisto, ("float32",)),
    OURS_AUTO: (Skhisto, ("auto",)),
    "Keras Sequential, float32": (Keras, ()),
    "Keras Sequential, mixed_bfloat16": (Keras, ("mixed_bfloat16",)),
    "scikeras, float32": (Scikeras, ()),
    "skorch + PyTorch, channels_last, float32": (Skorch, ("float32",)),
    "skorch + PyTorch, channels_last, bfloat16": (Skorch, ("bfloat16",)),
}


def run(options: Options) -> Section:
    """Measure training."""
    table = measure_throughput(
        "training", ENTRIES, "train", options, n_batches=10, ours=RATIOS
    )
    return Section(
        "Training",
        "One epoch, from the array to the trained network. All contenders train the "
        "same network of 2,386,817 parameters with Adam on shuffled patches. Graphs "
        "are traced before the clock starts.",
        [table],
    )
