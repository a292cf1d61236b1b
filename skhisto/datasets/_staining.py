"""How synthetic slides are stained."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skhisto._stain.density import HE_STAINS, mix_stains, unit_length


class Staining(NamedTuple):
    """What all tissue of one slide has in common: its staining and its scanner."""

    stains: NDArray[np.float64]
    strength: NDArray[np.float64]
    background: NDArray[np.float64]

    def stain(self, concentrations: NDArray[Any]) -> NDArray[np.uint8]:
        """Colour of tissue on this slide."""
        stains = self.strength[:, None] * self.stains
        return mix_stains(concentrations, stains, self.background)


def draw_staining(rng: np.random.RandomState) -> Staining:
    """Draw a staining: which colours, how strong, and how bright the glass is."""
    turned = HE_STAINS + rng.normal(scale=0.06, size=(2, 3))
    return Staining(
        stains=unit_length(np.maximum(turned, 0.02)),
        strength=rng.lognormal(sigma=0.2, size=2),
        background=rng.uniform(232, 250) + rng.uniform(-4, 4, size=3),
    )
