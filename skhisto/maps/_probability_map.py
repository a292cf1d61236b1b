"""Computation of probability maps from a classifier and a slide."""

from collections.abc import Iterator
from typing import Any

from skhisto.maps._plan import MapPlan, TileValues, map_of_tiles, plan_map, score_tiles
from skhisto.maps._result import ProbabilityMap


def probability_map(
    estimator: Any,
    slide: Any,
    stride: int = 32,
    *,
    window: int | tuple[int, int] | None = None,
    mpp: float | None = 0.97,
    mask: Any = "tissue",
    max_memory: float = 500,
    verbose: bool = False,
) -> ProbabilityMap:
    """Predict a map of probabilities for a slide.

    The classifier predicts windows on a regular grid. The map has one cell per window:
    the square of `stride` x `stride` pixels around the centre of the window.

    Parameters
    ----------
    estimator : estimator
        A fitted classifier of patches of dtype uint8, with `predict_proba`:

        - a `PatchCNNClassifier`
        - a `Pipeline` of `CenterCrop`, `Resize` and `StainNormalizer` that ends in a
          classifier of patches
        - a `Pipeline` with a `PatchEmbedder`, followed by any scikit-learn steps
        - another classifier of patches, with `window`
        - a search that was refitted on one of these
    slide : Slide, path or ndarray of shape (height, width, channels), uint8
        The slide, or pixels that are mapped without resampling.
    stride : int, default=32
        Distance between windows, in pixels at the resolution `mpp`. The label of a
        PatchCamelyon patch refers to its central 32x32 pixels. If `stride` is larger
        than the windows, the first cell starts at a negative coordinate.
    window : int or tuple of int (height, width), default=None
        Size of the windows, in pixels at the resolution `mpp`. None means the size of
        the patches that the classifier or `PatchEmbedder` was fitted on. If the first
        step of a pipeline is `CenterCrop`, None means the size of the crop, because the
        pixels outside the crop do not change the probabilities. Otherwise, `window` is
        required if the pipeline changes the size of the patches.
    mpp : float or None, default=0.97
        Microns per pixel of the patches that the classifier was fitted on. The slide is
        read at this resolution. The default is the resolution of PatchCamelyon [1]_.
        None reads level 0 without resampling. Arrays are never resampled.
    mask : "tissue", None, TissueMask or ndarray of bool, default="tissue"
        Selects the cells to score: those with at least 5 % of their area in the mask.

        - "tissue": the tissue found by :func:`skhisto.slides.tissue_mask`.
        - None: all cells.
        - A :class:`skhisto.slides.TissueMask`.
        - An array of shape (height, width): it is stretched over the slide.
    max_memory : float, default=500
        Maximum memory for pixels and computation in megabytes (1e6 bytes). It limits
        the size of a tile. The libraries, the estimator, the map and a batch of cut-out
        windows are not included. Much less memory makes maps slower. More memory hardly
        makes them faster.
    verbose : bool, default=False
        Whether to print the number of finished tiles.

    Returns
    -------
    map : ProbabilityMap
        Probabilities in float32, with the position of the cells on the slide. NaN in
        skipped cells. The attributes `way` and `reason` state how the map was computed.

    Raises
    ------
    TypeError
        - If `slide` is neither a Slide, a path nor an array.
        - If the estimator does not have `predict_proba`.
        - If a step of a pipeline may not treat every patch separately.
    NotFittedError
        If the estimator is not fitted.
    ValueError
        - If `stride` is not a positive integer.
        - If the slide is smaller than a window.
        - If the resolution of the slide is unknown and `mpp` is a number.
        - If the size of the windows is unknown or differs from the patches in `fit`.
        - If the classifier was fitted on patches of another dtype than uint8, or with
          another number of channels.
        - If `max_memory` is not a positive number, or is too small for one tile.
        - If `mask` has another type or belongs to another slide.

    See Also
    --------
    ProbabilityMap : The result.

    Notes
    -----
    Windows overlap if `stride` is smaller than the windows. There are two ways to
    compute the same numbers:

    - "dense": the network runs once over a whole region, so each pixel is convolved
      only once. This requires a `PatchCNNClassifier`, alone or after `CenterCrop`. All
      layers of its network must be unpadded, and `stride` must be a multiple of the
      stride of the network, which is 8 for the default network. With float32, the
      probabilities equal `predict_proba` to about 1e-6.
    - "windows": windows are cut out and predicted. Each pixel is read once. Networks
      with ``padding="same"`` need this way, because padding changes the result at the
      border of a window.

    Both ways apply the test-time augmentation of the classifier.

    References
    ----------
    .. [1] B. S. Veeling, J. Linmans, J. Winkens, T. Cohen, M. Welling. "Rotation
       Equivariant CNNs for Digital Pathology". MICCAI 2018. arXiv:1806.03962

    Examples
    --------
    >>> import numpy as np
    >>> from skhisto import PatchCNNClassifier, ReferenceCNN
    >>> from skhisto import make_patches, probability_map
    >>> X, y = make_patches(40, size=24, random_state=0)
    >>> clf = PatchCNNClassifier(
    ...     architecture=ReferenceCNN(filters=(4, 8), dense_units=8),
    ...     epochs=1,
    ...     random_state=0,
    ... ).fit(X, y)
    >>> region = np.concatenate(np.concatenate(X[:24].reshape(4, 6, 24, 24, 3), 1), 1)
    >>> region.shape
    (96, 144, 3)
    >>> result = probability_map(clf, region, stride=8, mask=None)
    >>> result.probabilities.shape, result.way
    ((10, 16, 2), 'dense')
    """
    plan = plan_map(
        estimator,
        slide,
        stride,
        window=window,
        mpp=mpp,
        mask=mask,
        max_memory=max_memory,
    )
    tiles = score_tiles(plan)
    return map_of_tiles(plan, _reported(plan, tiles) if verbose else tiles)


def _reported(plan: MapPlan, tiles: Iterator[TileValues]) -> Iterator[TileValues]:
    n_tiles = len(plan.todo)
    for n_done, tile in enumerate(tiles, start=1):
        print(f"{n_done} of {n_tiles} tiles mapped", flush=True)
        yield tile
