"""Staining of synthetic slides."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skhisto._stain.density import HE_STAINS, mix_stains, unit_length


class Staining(NamedTuple):
    """Colours of one slide, which depend on its staining and its scanner."""

    stains: NDArray[np.float64]
    strength: NDArray[np.float64]
    background: NDArray[np.float64]

    def stain(self, concentrations: NDArray[Any]) -> NDArray[np.uint8]:
        """Return the colours of tissue on this slide."""
        stains = self.strength[:, None] * self.stains
        return mix_stains(concentrations, stains, self.background)


def draw_staining(rng: np.random.RandomState) -> Staining:
    """Draw the stain colours, their strength, and the brightness of the glass."""
    turned = HE_STAINS + rng.normal(scale=0.06, size=(2, 3))
    return Staining(
        stains=unit_length(np.maximum(turned, 0.02)),
        strength=rng.lognormal(sigma=0.2, size=2),
        background=rng.uniform(232, 250) + rng.uniform(-4, 4, size=3),
    )
