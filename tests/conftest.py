"""Fixtures that every test may use."""

import os
from pathlib import Path

import numpy as np
import pytest

from skhisto import PatchCNNClassifier


@pytest.fixture(scope="session")
def real_data():
    """Folder of real patches, regions and bad files."""
    folder = os.environ.get("SKHISTO_DATA")
    if not folder:
        pytest.skip("set SKHISTO_DATA to the folder of real patches to run this test")
    return Path(folder)


@pytest.fixture(scope="session")
def bright_or_dark():
    """60 RGB patches of 12x12 pixels, bright (1) or dark (0), and 6 slides."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = rng.integers(0, 120, (60, 12, 12, 3)) + 120 * y[:, None, None, None]
    groups = np.arange(60) // 10
    return X.astype(np.uint8), y, groups


@pytest.fixture
def tiny_cnn():
    """A classifier that is fast, and all the same in every test: compiled once."""
    return PatchCNNClassifier(
        filters=(4,),
        dense_units=8,
        epochs=8,
        batch_size=16,
        learning_rate=0.01,
        random_state=0,
    )
