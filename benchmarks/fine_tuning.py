"""Fine-tuning EfficientNet-Lite0: skhisto and PyTorch, in float32 and in bfloat16."""

from benchmarks.contest import Entry
from benchmarks.options import Options
from benchmarks.pretrained import BATCH_SIZE, FineTuned, TorchLite
from benchmarks.table import Section
from benchmarks.throughput import measure_throughput

OURS = "skhisto, float32"
OURS_AUTO = 'skhisto, precision="auto"'
ENTRIES: dict[str, Entry] = {
    OURS: (FineTuned, ("float32",)),
    OURS_AUTO: (FineTuned, ("auto",)),
    "PyTorch, channels_last, float32": (TorchLite, ("float32",)),
    "PyTorch, channels_last, bfloat16": (TorchLite, ("bfloat16",)),
}


def run(options: Options) -> Section:
    """Measure fine-tuning."""
    n_batches, batch_size = (1, 16) if options.quick else (10, BATCH_SIZE)
    table = measure_throughput(
        ENTRIES,
        "train",
        n_batches=n_batches,
        batch_size=batch_size,
        n_rounds=options.rounds,
        limit_s=15,
        ours={"skhisto float32 / this": OURS, "skhisto auto / this": OURS_AUTO},
    )
    return Section(
        "Fine-tuning",
        f"One epoch over {n_batches * batch_size} patches of 96x96 RGB pixels (uint8) "
        f"in batches of {BATCH_SIZE}: all layers of EfficientNet-Lite0 with ImageNet "
        "weights, AdamW, shuffled, on all cores. Graphs are traced before the clock "
        "starts. A turn of skhisto is a whole fit: it includes reading the weight file "
        "and measuring the statistics of batch normalisation after training. "
        "Contenders run in separate processes and take turns; medians over "
        f"{options.rounds} turn(s).",
        [table],
    )
