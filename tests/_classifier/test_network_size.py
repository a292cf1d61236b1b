"""A warning names the number of parameters where patches make a network large."""

import warnings

import numpy as np
import pytest

from skhisto import PatchCNNClassifier, ReferenceCNN
from skhisto._classifier import network_size
from skhisto._classifier.network_size import warn_if_large


def weights_of(*shapes):
    """Weights that take no memory."""
    return {
        str(i): np.broadcast_to(np.float32(0), shape) for i, shape in enumerate(shapes)
    }


def test_a_network_with_one_very_large_layer_is_named_with_alternatives():
    with pytest.warns(UserWarning, match=r"18,000,500 parameters .* 224x200 .*") as w:
        warn_if_large(weights_of((500,), (18_000, 1_000)), (224, 200, 3))
    message = str(w[0].message)
    for word in ("18,000,000 of them", "'compact'", "Resize", "CenterCrop"):
        assert word in message


@pytest.mark.parametrize(
    "shapes",
    [
        [(10_000, 1_000)],  # not above the threshold
        [(2_000, 1_000)] * 12,  # large, but not because of one layer
        [],
    ],
    ids=["small", "many layers", "nothing"],
)
def test_other_networks_are_fine(shapes):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_large(weights_of(*shapes), (96, 96, 3))


def test_fit_warns_once_and_continued_fits_do_not(bright_or_dark, monkeypatch):
    monkeypatch.setattr(network_size, "MAX_PARAMETERS", 100)
    X, y, _ = bright_or_dark
    classifier = PatchCNNClassifier(
        architecture=ReferenceCNN(filters=(2,), dense_units=8), epochs=1
    )
    with pytest.warns(UserWarning, match=r"parameters for patches of 12x12 pixels"):
        classifier.partial_fit(X, y, classes=[0, 1])
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "The network has .* parameters")
        classifier.partial_fit(X, y)
