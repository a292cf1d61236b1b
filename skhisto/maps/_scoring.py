"""The two ways to compute the probabilities of the cells of a tile."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from skhisto._classifier.fitting import fitted_spec
from skhisto._classifier.patch_cnn import PatchCNNClassifier
from skhisto._data.samples import probabilities_of
from skhisto.maps._result import Way
from skhisto.maps._tiles import Layout, Size
from skhisto.maps._windows import WindowUse

if TYPE_CHECKING:
    from skhisto._keras.network import NetworkSpec

Score = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Function of the pixels of a tile and the mask of its scored cells. It returns
probabilities of shape (n_scored, n_classes), row by row."""

# Memory of TensorFlow and oneDNN relative to the maps of two layers. Measured with the
# reference network: 1.1 (float32, 1024x1024 pixels) to 1.35 (bfloat16, 2048x2048).
_OVERHEAD = 1.4
# Regions that are read ahead, the current one and the last one.
_N_REGIONS = 5
# Number of windows that are copied and predicted at once. It is a multiple of all batch
# sizes.
_BATCH = 48
_BATCH_BYTES = 16e6
# Limits the time of a tile in a large map to minutes.
_MAX_WINDOWS = 4096


@dataclass(frozen=True)
class Scorer(ABC):
    """One of the two ways to compute probabilities.

    Parameters
    ----------
    layout : Layout
        The pixels that a cell needs.
    reason : str
        The reason for this way, as a sentence.
    """

    way: ClassVar[Way]
    layout: Layout
    reason: str

    @abstractmethod
    def largest_tile(self, shape: Size, n_channels: int, max_bytes: float) -> Size:
        """Return the maximum rows and columns of cells in a tile of a map."""

    @abstractmethod
    def opened(self) -> AbstractContextManager[Score]:
        """Return a context that provides a `Score`."""


@dataclass(frozen=True)
class DenseScorer(Scorer):
    """Run the network of a classifier once over each tile."""

    way = "dense"
    classifier: PatchCNNClassifier
    spec: "NetworkSpec"
    bytes_per_pixel: float

    def largest_tile(self, shape: Size, n_channels: int, max_bytes: float) -> Size:
        """Return the most rows and columns of cells in a tile."""
        per_pixel = _OVERHEAD * self.bytes_per_pixel + _N_REGIONS * n_channels
        height, width = self.layout.size
        _check_memory(per_pixel * height * width, max_bytes)
        n_pixels = int(max_bytes / per_pixel)
        # Tiles are about square, and at least as large as one window.
        most = min(isqrt(n_pixels), n_pixels // height)
        n_columns = max(1, (most - width) // self.layout.stride + 1)
        most = n_pixels // ((n_columns - 1) * self.layout.stride + width)
        return (most - height) // self.layout.stride + 1, n_columns

    @contextmanager
    def opened(self) -> Iterator[Score]:
        """Borrow a network from the pool."""
        from skhisto._keras.dense import DenseNetwork
        from skhisto._keras.pool import POOL

        stride = self.layout.stride
        views = self.classifier._views()
        with POOL.borrow(
            ("dense", self.spec, stride), lambda: DenseNetwork(self.spec, stride)
        ) as network:
            network.load(self.classifier.weights_)
            yield lambda region, wanted: probabilities_of(
                network.logits(region, views)[wanted]
            )


@dataclass(frozen=True)
class WindowScorer(Scorer):
    """Cut windows out of each tile and predict them."""

    way = "windows"
    estimator: Any

    def largest_tile(self, shape: Size, n_channels: int, max_bytes: float) -> Size:
        """Return full rows of cells, so that every pixel is read once."""
        n_columns = shape[1]
        height, width = self.layout.size
        stride = self.layout.stride
        per_row = _N_REGIONS * n_channels * ((n_columns - 1) * stride + width)
        _check_memory(per_row * height, max_bytes)
        most = int(max_bytes / per_row) - height
        n_rows = min(most // stride + 1, max(1, _MAX_WINDOWS // n_columns))
        return n_rows, n_columns

    @contextmanager
    def opened(self) -> Iterator[Score]:
        """Return a function that predicts the windows of a region."""
        yield self._score

    def _score(self, region: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        stride = self.layout.stride
        windows = sliding_window_view(region, self.layout.size, axis=(0, 1))
        windows = np.moveaxis(windows[::stride, ::stride], 2, -1)
        rows, columns = np.nonzero(wanted)
        n = max(1, int(_BATCH_BYTES / (windows[0, 0].nbytes * _BATCH))) * _BATCH
        return np.concatenate(
            [
                # Only this copies the windows.
                self.estimator.predict_proba(
                    windows[rows[start : start + n], columns[start : start + n]]
                )
                for start in range(0, len(rows), n)
            ]
        )


def choose_scorer(estimator: Any, use: WindowUse, stride: int) -> Scorer:
    """Return the faster of the possible ways."""
    from skhisto._keras.dense_layers import NotDenseError

    try:
        return _dense_scorer(use, stride)
    except NotDenseError as error:
        layout = Layout(stride, (0, 0), use.window)
        return WindowScorer(layout, str(error), estimator)


def _dense_scorer(use: WindowUse, stride: int) -> DenseScorer:
    from skhisto._keras.dense import check_dense
    from skhisto._keras.dense_layers import NotDenseError

    if use.classifier is None:
        raise NotDenseError(use.reason)
    size = use.classifier.patch_shape_[:2]
    if stride >= min(size):
        raise NotDenseError("Adjacent windows do not overlap.")
    spec = fitted_spec(use.classifier)
    found = check_dense(spec, stride)
    return DenseScorer(
        layout=Layout(stride, (use.crop[0].start, use.crop[1].start), size),
        reason=f"All layers are unpadded, and stride={stride} is a multiple of "
        f"{max(found.stride)} pixels, the stride of the network.",
        classifier=use.classifier,
        spec=spec,
        bytes_per_pixel=found.bytes_needed(stride),
    )


def _check_memory(needed: float, max_bytes: float) -> None:
    if needed > max_bytes:
        raise ValueError(
            f"max_memory={max_bytes / 1e6:g} MB is too small. One tile needs at least "
            f"{needed / 1e6:.3g} MB. Increase max_memory."
        )
