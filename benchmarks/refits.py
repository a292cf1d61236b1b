"""What a further fit of the same network costs: time and memory, pooled and anew.

Run with ``python benchmarks/refits.py``. Blocks of fits that take their network from
the pool alternate with blocks that build and trace it anew.
"""

import os
import platform
import statistics
import time

import numpy as np
import sklearn
import tensorflow as tf

from skhisto import PatchCNNClassifier, make_patches
from skhisto._network.pool import POOL

N_BLOCKS = 3
N_FITS = 10


def resident_megabytes() -> float:
    """Return this process' resident memory (Linux)."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def fit(seed: int, X: np.ndarray, y: np.ndarray) -> float:
    """Fit and predict once; return the seconds it took."""
    start = time.perf_counter()
    classifier = PatchCNNClassifier(
        filters=(8, 16, 32), dense_units=32, epochs=1, random_state=seed
    )
    classifier.fit(X, y).predict(X)
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    X, y = make_patches(128, size=32, random_state=0)
    seconds: dict[str, list[float]] = {"pooled": [], "anew": []}
    growth: dict[str, list[float]] = {"pooled": [], "anew": []}
    for _ in range(N_BLOCKS):
        for name in seconds:
            fit(0, X, y)
            before = resident_megabytes()
            for seed in range(N_FITS):
                if name == "anew":
                    POOL._idle.clear()
                seconds[name].append(fit(seed, X, y))
            growth[name].append((resident_megabytes() - before) / N_FITS)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, TensorFlow {tf.__version__}, scikit-learn "
        f"{sklearn.__version__}, {time.strftime('%Y-%m-%d')}"
    )
    print(f"{'network':8} {'s a fit':>8} {'MB a fit':>9}")
    for name in seconds:
        print(
            f"{name:8} {statistics.median(seconds[name]):8.2f} "
            f"{statistics.median(growth[name]):9.2f}"
        )
    ratio = statistics.median(seconds["anew"]) / statistics.median(seconds["pooled"])
    print(f"A pooled fit is {ratio:.1f} times faster.")


if __name__ == "__main__":
    main()
