"""Training the reference network: skhisto, Keras, scikeras, skorch with PyTorch."""

from benchmarks.contenders import BATCH_SIZE, Keras, Scikeras, Skhisto, Skorch
from benchmarks.contest import Entry
from benchmarks.options import Options
from benchmarks.table import Section
from benchmarks.throughput import measure_throughput

OURS = "skhisto, float32"
OURS_AUTO = 'skhisto, precision="auto"'
RATIOS = {"skhisto float32 / this": OURS, "skhisto auto / this": OURS_AUTO}
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
    n_batches, batch_size = (1, 16) if options.quick else (10, BATCH_SIZE)
    table = measure_throughput(
        ENTRIES,
        "train",
        n_batches=n_batches,
        batch_size=batch_size,
        n_rounds=options.rounds,
        limit_s=15,
        ours=RATIOS,
    )
    return Section(
        "Training",
        f"One epoch over {n_batches * batch_size} patches of 96x96 RGB pixels (uint8) "
        f"in batches of {BATCH_SIZE}, from the array to the trained network: the same "
        "network of 2,386,817 parameters, Adam, shuffled, on all cores. Graphs are "
        "traced before the clock starts. Contenders run in processes of their own and "
        f"take turns; medians over {options.rounds} turn(s).",
        [table],
    )
