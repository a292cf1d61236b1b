"""Maps of the evidence for a class, computed from activations and gradients."""

from typing import Any

import numpy as np
from sklearn.utils._param_validation import StrOptions, validate_params

from skhisto._classifier.fitting import fitted_spec
from skhisto._classifier.patch_cnn import PatchCNNClassifier
from skhisto.inspection._estimators import classifier_of, seen_patches
from skhisto.inspection._targets import position_of
from skhisto.patches._definition import Patches


@validate_params(
    {"method": [StrOptions({"hires_cam", "grad_cam"})]},
    prefer_skip_nested_validation=True,
)
def class_activation_map(
    estimator: Any, X: Any, *, target: Any = None, method: str = "hires_cam"
) -> np.ndarray:
    """Map the evidence for a class in each patch from the gradients of the network.

    The last feature map of the network has few positions and many channels. The
    gradient of the logit gives the contribution of each position to the logit of the
    class. The contributions are interpolated linearly to the pixels of the patch.

    Parameters
    ----------
    estimator : PatchCNNClassifier or Pipeline
        A fitted classifier with any network, or a fitted Pipeline that ends in one.
    X : array-like or PatchArray of shape (n, height, width, channels) or \
            (n, height, width)
        At least one patch, or the input of the Pipeline, such as file names.
    target : label, default=None
        The class, one of ``classes_``. With two classes, None means ``classes_[1]``.
        With more, None means the predicted class of each patch.
    method : {"hires_cam", "grad_cam"}, default="hires_cam"
        How activations and gradients are combined.

        - "hires_cam" [1]_ multiplies them position by position. The maps show what the
          network uses.
        - "grad_cam" [2]_ first averages the gradients over all positions. If the
          network itself averages over positions, as "compact" does, the maps are the
          same. Otherwise, they may show positions without influence.

    Returns
    -------
    maps : ndarray of shape (n, height, width), float32
        Contributions in units of the logit. Negative contributions are set to 0. The
        maps have the size of the patches that reach the classifier, for example the
        cropped size after a `CenterCrop`. The outermost positions of the last feature
        map are extended to the border. `tta` has no effect, because the maps belong to
        the patches and not to their other views.

    Raises
    ------
    TypeError
        If `estimator` is neither a PatchCNNClassifier nor a Pipeline that ends in one,
        or if X is a data set, a loader, an iterator or a mapping.
    NotFittedError
        If `estimator` is not fitted.
    ValueError
        If X is not valid input of the estimator, if `target` is not one of the classes,
        or if the network does not contain a layer that returns a feature map.

    See Also
    --------
    occlusion_map : Compute maps without gradients, for any classifier.
    CAMDisplay : Show the maps.

    Notes
    -----
    A map is not a proof. It shows where the evidence is, but not what it is, and it is
    valid only for the patches in `X`. As a check, maps of a network with random weights
    must look different [3]_.

    References
    ----------
    .. [1] R. L. Draelos, L. Carin. "Use HiResCAM instead of Grad-CAM for faithful
       explanations of convolutional neural networks". arXiv:2011.08891, 2020.
    .. [2] R. R. Selvaraju et al. "Grad-CAM: Visual Explanations from Deep Networks via
       Gradient-Based Localization". ICCV 2017.
    .. [3] J. Adebayo et al. "Sanity Checks for Saliency Maps". NeurIPS 2018.

    Examples
    --------
    >>> from skhisto import PatchCNNClassifier, ReferenceCNN
    >>> from skhisto import class_activation_map, make_patches
    >>> X, y = make_patches(40, size=24, random_state=0)
    >>> small = ReferenceCNN(filters=(8, 16), dense_units=16)
    >>> clf = PatchCNNClassifier(architecture=small, epochs=2, random_state=0)
    >>> class_activation_map(clf.fit(X, y), X[:3]).shape
    (3, 24, 24)
    """
    classifier = classifier_of(estimator)
    patches = seen_patches(estimator, X)
    outputs, signs = _logits_of(classifier, patches, target)
    from skhisto._keras.last_image import Activations

    activations = Activations(fitted_spec(classifier), classifier.weights_)
    height, width = classifier.patch_shape_[:2]
    maps = [
        _spread(_cells(*batch, method), (height, width), activations.strides)
        for batch in activations.batches(patches, outputs, signs)
    ]
    return np.concatenate(maps)


def _logits_of(
    classifier: PatchCNNClassifier, patches: Patches, target: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return the position and the sign of the logit of the target."""
    n_classes = len(classifier.classes_)
    position = position_of(target, classifier.classes_)
    if position is None:
        outputs = classifier.decision_function(patches).argmax(axis=1)
    else:
        outputs = np.full(len(patches), 0 if n_classes == 2 else position)
    sign = -1 if n_classes == 2 and position == 0 else 1
    return outputs, np.full(len(patches), sign, np.float32)


def _cells(images: np.ndarray, gradients: np.ndarray, method: str) -> np.ndarray:
    """Return the evidence for the target at each position, (n, rows, columns)."""
    if method == "grad_cam":
        gradients = gradients.mean(axis=(1, 2), keepdims=True)
    return np.maximum((images * gradients).sum(axis=-1), 0)


def _spread(
    cells: np.ndarray, size: tuple[int, int], strides: tuple[float, float]
) -> np.ndarray:
    """Interpolate between positions. Their grid is centred on the patch."""
    vertical, horizontal = (
        _interpolation(n_cells, n_pixels, stride)
        for n_cells, n_pixels, stride in zip(
            cells.shape[1:], size, strides, strict=True
        )
    )
    return (vertical @ cells @ horizontal.T).astype(np.float32)


def _interpolation(n_cells: int, n_pixels: int, stride: float) -> np.ndarray:
    """Return the weights of linear interpolation, (n_pixels, n_cells)."""
    centres = (n_pixels - 1) / 2 + stride * (np.arange(n_cells) - (n_cells - 1) / 2)
    pixels = np.arange(n_pixels)
    return np.stack([np.interp(pixels, centres, cell) for cell in np.eye(n_cells)], 1)
