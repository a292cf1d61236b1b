"""Fine-tuning EfficientNet-Lite0: skhisto and PyTorch, in float32 and in bfloat16."""

from benchmarks.contest import Entry
from benchmarks.options import Options
from benchmarks.speed.pretrained import BATCH_SIZE, FineTuned, TorchLite
from benchmarks.speed.throughput import OURS, OURS_AUTO, RATIOS, measure_throughput
from benchmarks.table import Section

ENTRIES: dict[str, Entry] = {
    OURS: (FineTuned, ("float32",)),
    OURS_AUTO: (FineTuned, ("auto",)),
    "PyTorch, channels_last, float32": (TorchLite, ("float32",)),
    "PyTorch, channels_last, bfloat16": (TorchLite, ("bfloat16",)),
}


def run(options: Options) -> Section:
    """Measure fine-tuning."""
    table = measure_throughput(
        "fine-tuning",
        ENTRIES,
        "train",
        options,
        n_batches=10,
        batch_size=BATCH_SIZE,
        ours=RATIOS,
    )
    return Section(
        "Fine-tuning",
        "One epoch of all layers of EfficientNet-Lite0 with ImageNet weights, with "
        "AdamW on shuffled patches. Graphs are traced before the clock starts. A turn "
        "of skhisto is a whole fit: it includes reading the weight file and measuring "
        "the statistics of batch normalisation after training.",
        [table],
    )
