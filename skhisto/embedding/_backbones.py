"""Backbones: picklable objects that compute features."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skhisto.patches._views import view

if TYPE_CHECKING:
    from skhisto._keras.features import FeatureExtractor


class Backbone(ABC):
    """Computes features of a few patches in memory.

    Attributes
    ----------
    n_features : int
        Number of features of a patch.
    fingerprint : str or None
        A hash of the weights. None if the weights are unknown.
    pixel_dtype : {"uint8", "uint16", "float32"}
        The input dtype of a network in a file.
    is_pretrained_on_pixels : bool
        Whether numbers that are not integers must be in [0, 1].
    """

    n_features: int
    fingerprint: str | None
    pixel_dtype: str
    is_pretrained_on_pixels = False

    @property
    @abstractmethod
    def identity(self) -> dict[str, Any] | None:
        """Everything except the patches that determines the features, or None."""

    @abstractmethod
    def features(self, patches: np.ndarray, views: Sequence[int]) -> np.ndarray:
        """Return features of views of patches, (n_views, n, n_features)."""


class NetworkBackbone(Backbone):
    """A Keras network, stored as plain data.

    Parameters
    ----------
    extractor : FeatureExtractor
    is_pretrained_on_pixels : bool
    """

    def __init__(
        self, extractor: "FeatureExtractor", is_pretrained_on_pixels: bool
    ) -> None:
        self._extractor = extractor
        self.is_pretrained_on_pixels = is_pretrained_on_pixels
        self.n_features = extractor.n_features
        self.fingerprint: str = extractor.fingerprint
        self.pixel_dtype = extractor.spec.ends.pixel_dtype

    @property
    def identity(self) -> dict[str, Any]:
        """All that features depend on, apart from the patches."""
        return self._extractor.identity

    def features(self, patches: np.ndarray, views: Sequence[int]) -> np.ndarray:
        """Return features of views of patches, (n_views, n, n_features)."""
        return self._extractor.features(patches, views)


class NamedBackbone(NetworkBackbone):
    """A network that is given by name. Pickles do not contain its weights.

    Parameters
    ----------
    name : str
    load : callable
        A module-level function, or a `functools.partial` of one, that returns the
        extractor.
    """

    def __init__(self, name: str, load: Callable[[], "FeatureExtractor"]) -> None:
        super().__init__(load(), is_pretrained_on_pixels=True)
        self._name = name
        self._load = load

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k != "_extractor"}

    def __getattr__(self, name: str) -> Any:
        # Only reached after unpickling.
        if name != "_extractor" or "_load" not in vars(self):
            raise AttributeError(name)
        extractor = self._load()
        if extractor.fingerprint != self.fingerprint:
            raise ValueError(
                f"The installed weights of {self._name!r} differ from the weights that "
                "this PatchEmbedder was fitted with. Their fingerprint is "
                f"{extractor.fingerprint[:12]} instead of {self.fingerprint[:12]}. "
                "Install the same version of the weights, or fit again."
            )
        self._extractor = extractor
        return extractor


class NormalisedBackbone(Backbone):
    """A network that expects normalised pixels.

    The network receives ``(x - mean) / std`` for pixels x in [0, 1].

    Parameters
    ----------
    backbone : Backbone
        The network, which receives float32 numbers.
    mean, std : ndarray of shape (channels,)
    """

    is_pretrained_on_pixels = True

    def __init__(self, backbone: Backbone, mean: np.ndarray, std: np.ndarray) -> None:
        self._backbone = backbone
        self._mean = mean
        self._std = std
        self.n_features = backbone.n_features
        self.fingerprint = backbone.fingerprint

    @property
    def identity(self) -> dict[str, Any] | None:
        """All that features depend on, apart from the patches."""
        identity = self._backbone.identity
        if identity is None:
            return None
        return identity | {"mean": self._mean.tolist(), "std": self._std.tolist()}

    def features(self, patches: np.ndarray, views: Sequence[int]) -> np.ndarray:
        """Return features of views of patches, (n_views, n, n_features)."""
        pixels = patches.astype(np.float32)
        if patches.dtype.kind == "u":
            pixels /= np.iinfo(patches.dtype).max
        pixels -= self._mean.astype(np.float32)
        pixels /= self._std.astype(np.float32)
        return self._backbone.features(pixels, views)


class FunctionBackbone(Backbone):
    """A user-defined function.

    Parameters
    ----------
    function : callable
        Takes patches of shape (n, height, width, channels) and returns an array of
        shape (n, n_features).
    example : ndarray of shape (1, height, width, channels)
        A patch that is used to determine the number of features.
    """

    _BATCH_SIZE = 32
    fingerprint = None

    def __init__(
        self, function: Callable[[np.ndarray], Any], example: np.ndarray
    ) -> None:
        self._function = function
        self.n_features = self._call(example).shape[1]

    @property
    def identity(self) -> None:
        """None, because functions do not have a fingerprint."""
        return

    def features(self, patches: np.ndarray, views: Sequence[int]) -> np.ndarray:
        """Return features of views of patches, (n_views, n, n_features)."""
        features = np.empty((len(views), len(patches), self.n_features), np.float32)
        for start in range(0, len(patches), self._BATCH_SIZE):
            rows = slice(start, start + self._BATCH_SIZE)
            for position, number in enumerate(views):
                batch = np.ascontiguousarray(view(patches[rows], number))
                features[position, rows] = self._call(batch)
        return features

    def _call(self, patches: np.ndarray) -> np.ndarray:
        features = np.asarray(self._function(patches))
        n_features = getattr(self, "n_features", None)
        expected = (len(patches), n_features or "n_features")
        if (
            features.ndim != 2
            or features.dtype.kind not in "fiub"
            or len(features) != len(patches)
            or n_features not in (None, features.shape[1])
        ):
            raise ValueError(
                "The backbone function must return numbers of shape "
                f"({expected[0]}, {expected[1]}) for patches of shape {patches.shape}, "
                f"but it returned shape {features.shape} and dtype {features.dtype}."
            )
        return features
