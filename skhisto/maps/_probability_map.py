"""From a classifier and a slide to a map of probabilities."""

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
    """Predict probabilities all over a slide.

    The classifier predicts windows at a regular distance. The map has a cell for each
    window: the square of `stride` x `stride` pixels around its centre.

    Parameters
    ----------
    estimator : estimator
        A fitted classifier of patches of dtype uint8, with `predict_proba`:

        - a `PatchCNNClassifier`;
        - a `Pipeline` of `CenterCrop`, `Resize` and `StainNormalizer` that ends in a
          classifier of patches;
        - a `Pipeline` with a `PatchEmbedder`, which any steps of scikit-learn may
          follow;
        - another classifier of patches, with `window`;
        - a search that was refitted on one of these.
    slide : Slide, path or ndarray of shape (height, width, channels), uint8
        The slide, or pixels that are mapped as they are.
    stride : int, default=32
        Distance between windows, in pixels at the resolution `mpp`. The label of a
        PatchCamelyon patch refers to its central 32x32 pixels.
    window : int or tuple of int (height, width), default=None
        Size of the windows, in pixels at the resolution `mpp`. None means the size of
        the patches that the classifier or `PatchEmbedder` was fitted on. If the first
        step of a pipeline is `CenterCrop`, None means the size of the crop, because the
        pixels outside of it do not change the probabilities. Otherwise `window` must be
        given if the pipeline changes the size of the patches.
    mpp : float or None, default=0.97
        Microns per pixel of the patches that the classifier was fitted on. The slide is
        read at this resolution. The default is that of PatchCamelyon [1]_. None reads
        level 0 as it is. Arrays are always mapped as they are.
    mask : "tissue", None, TissueMask or ndarray of bool, default="tissue"
        Which cells are scored: those of which at least 5 % are in the mask.

        - "tissue": the tissue, as :func:`skhisto.slides.tissue_mask` finds it.
        - None: all cells.
        - A :class:`skhisto.slides.TissueMask`, or an array of shape (height, width),
          which is stretched over the slide.
    max_memory : float, default=500
        Most memory for pixels and computation, in megabytes (1e6 bytes). It limits the
        size of a tile. The libraries, the estimator and the map come in addition. So
        does a batch of windows, if they are predicted one by one. Maps are slower with
        much less memory than the default, and hardly faster with more.
    verbose : bool, default=False
        Whether to print the number of tiles that are done.

    Returns
    -------
    map : ProbabilityMap
        Probabilities in float32, with the position of the cells on the slide. NaN in
        skipped cells. The attributes `way` and `reason` tell how the map was computed.

    Raises
    ------
    TypeError
        - If `slide` is neither a Slide, a path nor an array.
        - If the estimator predicts no probabilities.
        - If a step of a pipeline is not known to treat every patch on its own.
    NotFittedError
        If the estimator is not fitted.
    ValueError
        - If `stride` is not a positive integer.
        - If the slide is smaller than a window.
        - If the resolution of the slide is unknown, and `mpp` is a number.
        - If the size of the windows is unknown, or not that of the patches in `fit`.
        - If the classifier was fitted on patches of another dtype than uint8, or with
          another number of channels.
        - If `max_memory` is not a positive number, or less than one tile needs.
        - If `mask` is none of the values above, or the mask of another slide.

    See Also
    --------
    ProbabilityMap : The result.

    Notes
    -----
    Windows overlap if `stride` is less than their size. There are two ways to compute
    the same numbers:

    - "dense": the network runs once over a whole region, so that no pixel is convolved
      twice. This needs a `PatchCNNClassifier`, alone or behind `CenterCrop`. All layers
      of its network must be unpadded, and `stride` must be a multiple of the stride of
      the network, which is 8 for the default network. With float32, the probabilities
      equal those of `predict_proba` to about 1e-6.
    - "windows": windows are cut out and predicted. Each pixel is read once. Padding
      makes the border of a window special, so that networks with ``padding="same"``
      need this way.

    The test-time augmentation of the classifier is applied in both ways.

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
