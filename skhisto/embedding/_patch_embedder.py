"""A scikit-learn transformer from patches to features, without Keras."""

import os
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skhisto._data.checks import check_patches, pixel_dtype_of
from skhisto._data.decoding import as_pixels
from skhisto._saved_format import SavedFormat
from skhisto.embedding._backbones import Backbone
from skhisto.embedding._embed import Embedding
from skhisto.embedding._resolve import classifier_of, resolve
from skhisto.embedding._saved import from_plain, to_plain
from skhisto.embedding._store import FeatureStore
from skhisto.patches._definition import Patches
from skhisto.patches._patch_array import PatchArray, as_height_width
from skhisto.patches._resizing import resize_patches
from skhisto.patches._views import SYMMETRIES, check_square


class PatchEmbedder(
    SavedFormat,
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Convert patches to a table of features with a frozen network.

    The features are input for scikit-learn estimators, such as a linear classifier,
    nearest neighbours, clustering or semi-supervised learning. The weights of the
    network do not change. `fit` only determines the shape of the patches and loads the
    network.

    Patches have the same forms as in `PatchCNNClassifier`: an array of shape
    (n, height, width, channels) or (n, height, width), a `PatchArray`, a list of equal
    images, or flat rows of square patches. Pixels of dtype uint8 and uint16 are divided
    by the maximum of their dtype. Other numbers must be in [0, 1]. If the backbone is a
    classifier or a function, other numbers are passed unchanged and can have any range.

    Parameters
    ----------
    backbone : str, Architecture, PatchCNNClassifier, path or callable, \
            default="efficientnet_lite0"
        The network or function that computes the features, in one of these forms:

        - The name of an architecture with pretrained weights.
        - An architecture object with pretrained weights.
        - A fitted `PatchCNNClassifier`. `sklearn.base.clone` of the embedder keeps it
          fitted. If the embedder itself is cloned as a part of another object, use
          ``FrozenEstimator(classifier)``.
        - The path of an ONNX file. It is run by ONNX Runtime (with telemetry disabled)
          or by `engine`. Requires the extra ``onnx`` or the extra of the engine.
        - The path of a ``.keras`` file with only built-in Keras layers. It is loaded in
          Keras' safe mode. Load only files from sources that you trust.
        - A function that takes patches of shape (n, height, width, channels) and dtype
          `pixel_dtype_` and returns an array of shape (n, n_features).

        The features of an architecture or a classifier are the input of its last layer
        with weights, which computes the logits. The features of a file are its output.
    size : int or tuple of int (height, width), default=None
        Size in pixels to which patches are resized by bilinear interpolation. An int
        means a square. Integers are rounded afterwards. None keeps the size.
    views : {"d4", "c4"}, default=None
        Average the features over the eight views of the square ("d4") or its four
        rotations ("c4"). Embedding takes eight or four times as long.
    pooling : {"avg", "max", "cls"}, default="avg"
        How the vectors of a network with several output positions are combined: "avg"
        for their mean, "max" for their maximum, or "cls" for the vector of the first
        token, which is the class token of most vision transformers. It has no effect on
        functions and on networks with a single vector, such as EfficientNet-Lite.
    mean, std : float or array-like of shape (channels,), default=None
        The network in a file receives ``(x - mean) / std`` for pixels x in [0, 1]. None
        means a mean of 0 and a standard deviation of 1. Only used for files. A network
        with inputs of dtype uint8 receives unchanged pixels.
    layout : {"NHWC", "NCHW"}, default=None
        Whether the channels of the input of an ONNX file are last or first. None
        derives it from the shape of the input.
    precision : {"float32", "bfloat16", "float16", "auto"}, default="float32"
        Number format of the computation, as in `PatchCNNClassifier`. Features are
        float32. Files and functions determine their own format.
    engine : {"openvino"} or None, default=None
        The library that runs the network. None uses TensorFlow for Keras networks and
        ONNX Runtime for ONNX files. "openvino" uses OpenVINO for both, on the
        processor, and requires the extra ``openvino``. The notes of
        `PatchCNNClassifier` state how the results of the engines differ. It must be
        None for functions.
    memory : str or path-like, default=None
        Folder in which features are stored, so that every patch is embedded only once.
        See the notes. None disables storage.
    verbose : bool, default=False
        Whether to print the number of finished patches.

    Attributes
    ----------
    patch_shape_ : tuple of int (height, width, channels)
        Shape of the patches seen in `fit`, in pixels.
    input_shape_ : tuple of int (height, width, channels)
        Shape of the patches after resizing.
    pixel_dtype_ : {"uint8", "uint16", "float32"}
        How the numbers seen in `fit` are used: as pixels of 8 or 16 bits, or unchanged.
    fingerprint_ : str or None
        SHA-256 of the weights. None for functions.
    n_features_in_ : int
        Number of values of a patch: height * width * channels.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns. Defined only if X was a data frame with string names.

    See Also
    --------
    PatchCNNClassifier : Train all layers of a network.
    load_features : Load features computed by other programs.

    Notes
    -----
    *Memory use.* Patches are decoded ahead and embedded in batches. Apart from the
    result, memory use does not depend on the number of patches.

    *Stored features.* With `memory`, features are stored under the hash of the decoded
    patch. Each combination of backbone, weights, `size`, `views`, `pooling`, `mean`,
    `std`, `precision` and `engine` has its own SQLite file. As a result, the folds and
    candidates of a search embed every patch only once. Several processes can use the
    same folder. Delete the folder to free the space. `memory` cannot be used with
    functions, because functions do not have a fingerprint.

    *Reproducibility.* Networks run with a constant batch size, so the features of a
    patch are bitwise independent of the other patches, with every engine. With `views`,
    a rotated or flipped patch has bitwise equal features.

    *Pickles.* The content of a pickle depends on the backbone:

    - Name: the name and the fingerprint of the weights. Embedding raises an error if
      other weights are installed.
    - Architecture object or ``.keras`` file: the network with its weights.
    - ONNX file: the file. If its weights are stored in other files, the pickle contains
      only the path, and the files must not be moved or changed.

    skops files have the same content. When loading them, trust
    ``skhisto.PatchEmbedder`` and, if the backbone is an object, its class.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skhisto import PatchCNNClassifier, PatchEmbedder, make_patches
    >>> X, y = make_patches(40, size=24, random_state=0)
    >>> trained = PatchCNNClassifier(
    ...     architecture="compact", epochs=1, random_state=0
    ... ).fit(X[:20], y[:20])
    >>> embedder = PatchEmbedder(trained, views="d4")
    >>> embedder.fit_transform(X).shape
    (40, 256)
    >>> head = make_pipeline(embedder, StandardScaler(), LogisticRegression())
    >>> head.fit(X[20:], y[20:]).predict(X).shape
    (40,)
    """

    __module__ = "skhisto"  # the public location, stored in pickles

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "backbone": [object],  # checked by resolve
        "size": [Interval(Integral, 1, None, closed="left"), tuple, None],
        "views": [StrOptions(set(SYMMETRIES)), None],
        "pooling": [StrOptions({"avg", "max", "cls"})],
        "mean": [Real, "array-like", None],
        "std": [Real, "array-like", None],
        "layout": [StrOptions({"NHWC", "NCHW"}), None],
        "precision": [StrOptions({"float32", "bfloat16", "float16", "auto"})],
        "engine": [StrOptions({"openvino"}), None],
        "memory": [str, os.PathLike, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        backbone: Any = "efficientnet_lite0",
        *,
        size: int | tuple[int, int] | None = None,
        views: str | None = None,
        pooling: str = "avg",
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        layout: str | None = None,
        precision: str = "float32",
        engine: str | None = None,
        memory: str | os.PathLike[str] | None = None,
        verbose: bool = False,
    ) -> None:
        self.backbone = backbone
        self.size = size
        self.views = views
        self.pooling = pooling
        self.mean = mean
        self.std = std
        self.layout = layout
        self.precision = precision
        self.engine = engine
        self.memory = memory
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike | PatchArray, y: Any = None) -> Self:
        """Determine the shape of the patches and load the network.

        Patches are not decoded, except for one patch if the backbone is a function.

        Parameters
        ----------
        X : array-like or PatchArray of shape (n, height, width, channels)
            Patches in one of the supported forms, see the class.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : PatchEmbedder
            The fitted embedder.

        Raises
        ------
        ValueError
            - If a parameter is invalid, or has no effect on this backbone.
            - If X is not a valid stack of patches.
            - If the backbone is unknown or has random weights.
            - If the backbone does not accept patches of this shape, or has several
              inputs or outputs.
            - If `memory` is given and the backbone is a function.
        TypeError
            If the backbone is an object of another type.
        NotFittedError
            If the backbone is a classifier that is not fitted.
        ImportError
            If the backbone needs a package that is not installed.
        FileNotFoundError
            If the backbone is a file that does not exist.
        """
        callback_context = self._init_callback_context()
        callback_context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        patches = check_patches(self, X, patch_shape=None, pixel_dtype=None, reset=True)
        patch_shape = tuple(patches.shape[1:])
        size = patch_shape[:2] if self.size is None else as_height_width(self.size)
        input_shape = (*size, patch_shape[2])
        pixel_dtype = pixel_dtype_of(patches)
        backbone = resolve(
            self, input_shape, pixel_dtype, _example(patches, size, pixel_dtype)
        )
        if self.memory is not None:
            _check_can_be_stored(backbone)
        self.patch_shape_ = patch_shape
        self.input_shape_ = input_shape
        self.pixel_dtype_ = pixel_dtype
        self.fingerprint_ = backbone.fingerprint
        self._fitted_backbone = backbone
        callback_context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def transform(self, X: ArrayLike | PatchArray) -> np.ndarray:
        """Return the features of patches.

        Parameters
        ----------
        X : array-like or PatchArray of shape (n, height, width, channels)
            Patches of the same shape and kind of numbers as in `fit`.

        Returns
        -------
        features : ndarray of shape (n, n_features), float32
            One row per patch. A data frame after
            ``set_output(transform="pandas")``.

        Raises
        ------
        NotFittedError
            If the embedder is not fitted.
        ValueError
            - If X is not a valid stack of patches.
            - If its shape or kind of numbers differs from `fit`.
            - If the backbone expects pixels and a number is outside [0, 1].
            - If features are NaN or infinite.
            - If stored features are corrupt.
            - If the weights differ from those in `fit`.
        OSError
            If the folder `memory` cannot be used.
        """
        check_is_fitted(self, "_fitted_backbone")
        self._validate_params()  # parameters may have changed after fit
        patches = check_patches(
            self,
            X,
            patch_shape=self.patch_shape_,
            pixel_dtype=self.pixel_dtype_,
            reset=False,
        )
        views: Sequence[int] = (0,)
        if self.views is not None:
            check_square(self.input_shape_, f"views={self.views!r}")
            views = SYMMETRIES[self.views]
        embed = Embedding(
            self._backbone(),
            size=self.input_shape_[:2],
            views=views,
            store=self._store(views),
            verbose=bool(self.verbose),
        )
        return embed(patches)

    def _store(self, views: Sequence[int]) -> FeatureStore | None:
        if self.memory is None:
            return None
        backbone = self._backbone()
        settings = {"views": list(views), "size": list(self.input_shape_[:2])}
        identity = _check_can_be_stored(backbone) | settings
        return FeatureStore(self.memory, identity, backbone.n_features)

    @property
    def _n_features_out(self) -> int:
        return self._backbone().n_features

    def _backbone(self) -> Backbone:
        if isinstance(self._fitted_backbone, dict):  # after loading the embedder
            self._fitted_backbone = from_plain(self._fitted_backbone)
        return self._fitted_backbone

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if "_fitted_backbone" in state:
            plain = to_plain(state["_fitted_backbone"])
            state = state | {"_fitted_backbone": plain}
        return state

    def __sklearn_clone__(self) -> Self:
        cloned = super().__sklearn_clone__()
        if classifier_of(self.backbone) is not None:
            # Cloning the classifier would lose its fitted state.
            cloned.backbone = self.backbone
        return cloned

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _example(
    patches: Patches, size: tuple[int, int], pixel_dtype: str
) -> Callable[[], np.ndarray]:
    """Return a function that decodes and resizes the first patch."""
    return lambda: resize_patches(as_pixels(patches[:1], pixel_dtype), size)


def _check_can_be_stored(backbone: Backbone) -> dict[str, Any]:
    """Return everything except the patches that determines the features."""
    if backbone.identity is None:
        raise ValueError(
            "memory cannot be used if the backbone is a function, because changes to "
            "the function cannot be detected and stored features might be outdated. "
            "Set memory=None, or store the output of transform."
        )
    return backbone.identity
