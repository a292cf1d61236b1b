"""The real patches, and the fold of slides of each."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from skhisto import load_patch_folder


class Patches(NamedTuple):
    """Patches of several slides.

    Attributes
    ----------
    X : ndarray of shape (n, 96, 96, 3), uint8
    y : ndarray of shape (n,)
        1 is tumour.
    fold : ndarray of shape (n,)
        Patches of different folds should be of different slides.
    """

    X: np.ndarray
    y: np.ndarray
    fold: np.ndarray


def load_patches(folder: Path) -> Patches:
    """Load the patches from the folder that SKHISTO_DATA names."""
    bunch = load_patch_folder(folder / "pcam")
    return Patches(np.asarray(bunch.data), bunch.target, bunch.groups)
