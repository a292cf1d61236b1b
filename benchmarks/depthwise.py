"""Training a network with depthwise convolutions in float32 and in bfloat16."""

from types import MethodType

import numpy as np

from benchmarks.contest import Entry
from benchmarks.options import Options
from benchmarks.table import Section
from benchmarks.throughput import measure_throughput

BATCH_SIZE = 32
OURS = "bfloat16"


class MobileNet:
    """MobileNetV2 without its top, with faster layers, trained by `Model.fit`.

    Parameters
    ----------
    policy : str
        Keras' name of the precision.
    has_fast_depthwise : bool
        Whether depthwise convolutions are among the faster layers.
    """

    def __init__(self, policy: str, has_fast_depthwise: bool) -> None:
        import keras
        from keras import layers

        from skhisto._keras.fast_layers import layers_of, use_faster_layers

        keras.config.set_dtype_policy(policy)
        keras.utils.set_random_seed(0)
        body = keras.applications.MobileNetV2(
            (96, 96, 3), include_top=False, weights=None, pooling="avg"
        )
        self._network = keras.Sequential(
            [
                keras.Input((96, 96, 3), dtype="uint8"),
                layers.Rescaling(1 / 127.5, offset=-1),
                body,
                layers.Dense(1, activation="sigmoid", dtype="float32"),
            ]
        )
        use_faster_layers(self._network)
        if not has_fast_depthwise:
            for layer in layers_of(self._network):
                if type(layer) is layers.DepthwiseConv2D:
                    layer.call = MethodType(layers.DepthwiseConv2D.call, layer)
        self._network.compile("adam", "binary_crossentropy")

    def prepare(self, X: np.ndarray, y: np.ndarray) -> None:
        """Keep the patches."""
        self._X, self._y = X, y

    def train(self, n_patches: int) -> None:
        """Continue the training. The graph is reused."""
        X, y = self._X[:n_patches], self._y[:n_patches]
        self._network.fit(X, y, batch_size=BATCH_SIZE, epochs=1, verbose=0)

    def note(self, method: str) -> str:
        """Return no note."""
        return ""


def run(options: Options) -> Section:
    """Measure training."""
    entries: dict[str, Entry] = {
        "float32": (MobileNet, ("float32", True)),
        "bfloat16, gradients of Keras": (MobileNet, ("mixed_bfloat16", False)),
        OURS: (MobileNet, ("mixed_bfloat16", True)),
    }
    n_batches = 1 if options.quick else 10
    table = measure_throughput(
        entries,
        "train",
        n_batches=n_batches,
        batch_size=BATCH_SIZE,
        n_rounds=options.rounds,
        limit_s=15,
        ours={f"{OURS} / this": OURS},
    )
    return Section(
        "Depthwise convolutions",
        f"One epoch over {n_batches * BATCH_SIZE} patches of 96x96 RGB pixels (uint8) "
        f"in batches of {BATCH_SIZE}: MobileNetV2 of Keras without its top, Adam, on "
        "all cores, with the faster layers of skhisto. In the second row, Keras "
        "computes the depthwise convolutions. In the third row, their gradients that "
        "are slow in bfloat16 are computed in float32. A ratio above 1 means that the "
        "third row is faster. Contenders run in separate processes and take turns; "
        f"medians over {options.rounds} turn(s).",
        [table],
    )
