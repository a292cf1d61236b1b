import numpy as np
import pytest

from skhisto import ProbabilityMap


def _make_map(tumour=((0.1, 0.9), (0.2, np.nan)), **changes):
    """A map of two classes; by default of 2x2 cells, one of them not scored."""
    tumour = np.asarray(tumour, np.float32)
    fields = {
        "probabilities": np.stack([1 - tumour, tumour], axis=2),
        "classes": ["normal", "tumour"],
        "origin": (31.5, 20),
        "stride": 62.25,
        "window": (186.75, 186.75),
        "slide_shape": (300, 400),
        "mpp": 0.5,
        "tissue": ~np.isnan(tumour),
        "slide_name": "a",
        "slide_fingerprint": "0123",
        "model_fingerprint": "4567",
        "way": "windows",
        "reason": "An example.",
    }
    return ProbabilityMap(**{**fields, **changes})


def _make_multiclass_map(**changes):
    probabilities = np.zeros((2, 3, 3))
    probabilities[..., 2] = 1
    fields = {"probabilities": probabilities, "tissue": np.ones((2, 3), bool)}
    return _make_map(classes=[0, 1, 2], **{**fields, **changes})


@pytest.fixture(scope="session")
def make_map():
    return _make_map


@pytest.fixture(scope="session")
def make_multiclass_map():
    return _make_multiclass_map
