"""What backbones receive, and which saved ones can be loaded."""

from types import SimpleNamespace

import numpy as np
import pytest

from skhisto.embedding._backbones import NormalisedBackbone
from skhisto.embedding._saved import from_plain


@pytest.mark.parametrize(
    ("value", "dtype"), [(51, np.uint8), (13_107, np.uint16), (0.2, np.float64)]
)
def test_pixels_are_scaled_before_they_are_normalised_and_numbers_are_not(value, dtype):
    seen = SimpleNamespace(
        n_features=1,
        fingerprint="",
        identity=None,
        features=lambda pixels, views: pixels,
    )
    backbone = NormalisedBackbone(seen, np.array([0.1]), np.array([0.5]))
    pixels = backbone.features(np.full((2, 3, 3, 1), value, dtype), [0])
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels, 0.2, rtol=1e-6)  # (0.2 - 0.1) / 0.5
    assert backbone.identity is None


def test_a_saved_backbone_of_an_unknown_class_is_an_error():
    with pytest.raises(ValueError, match="backbone of the unknown class 'Later'"):
        from_plain({"skhisto:class": "Later"})
