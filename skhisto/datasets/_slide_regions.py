"""Tissue and tumour regions of a synthetic slide."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

_SMALLEST_RADIUS = 30.0


class Blob(NamedTuple):
    """An ellipse whose outline is modulated by harmonics of the angle."""

    centre: Floats
    """Row and column, shape (2,)."""
    radii: Floats
    """Mean radii along rows and columns, shape (2,)."""
    waves: list[complex]
    """Amplitudes and phases of the second to sixth harmonic, as a share of 1."""

    def depth(self, rows: Floats, columns: Floats) -> Floats:
        """Return the distance to the outline along the ray from the centre.

        It is positive inside, in units of the larger radius.
        """
        down = (rows - self.centre[0]) / self.radii[0]
        right = (columns - self.centre[1]) / self.radii[1]
        point = np.empty(np.broadcast_shapes(down.shape, right.shape), np.complex64)
        point.real, point.imag = right, down
        distance = np.abs(point)
        return self._outline(point / np.maximum(distance, 1e-9)) - distance

    def outline(self, margin: float) -> Floats:
        """Return the outline moved outwards by `margin`, shape (n, 2) of x and y."""
        n = max(64, int(self.radii.max()))
        ray = np.exp(2j * np.pi * np.arange(n) / n)
        points = self._outline(ray) * ray
        height, width = self.radii
        x = self.centre[1] + width * points.real + margin * ray.real
        y = self.centre[0] + height * points.imag + margin * ray.imag
        return np.stack([x, y], axis=1)

    def _outline(self, ray: Any) -> Any:
        wave, outline = ray, 1.0
        for coefficient in self.waves:
            wave = wave * ray
            outline = outline + (coefficient * wave).real
        return outline


def draw_blob(
    rng: np.random.RandomState, centre: Floats, radii: Floats, roughness: float
) -> Blob:
    """Draw a blob with a random outline."""
    phases = np.exp(2j * np.pi * rng.random_sample(5))
    amplitudes = roughness * rng.uniform(0.3, 1, size=5) / np.arange(2, 7)
    return Blob(np.asarray(centre), np.asarray(radii), (phases * amplitudes).tolist())


def draw_tissue_outline(rng: np.random.RandomState, shape: tuple[int, int]) -> Blob:
    """Draw one piece of tissue in the middle, with glass around it."""
    half = np.array(shape) / 2
    return draw_blob(rng, half, 0.8 * half, roughness=0.12)


def draw_tumours(
    rng: np.random.RandomState, tissue: Blob, share: float, scale: float
) -> list[Blob]:
    """Draw round regions of tumour inside tissue that do not touch each other.

    Parameters
    ----------
    rng : RandomState
    tissue : Blob
    share : float
        Total area of the regions as a share of the tissue area.
    scale : float
        Pixels per micron. It sets the smallest region, which must fit several nuclei.
    """
    wanted = share * np.pi * tissue.radii.prod()
    largest = 0.35 * tissue.radii.min()
    smallest = min(_SMALLEST_RADIUS * scale, largest)
    tumours: list[Blob] = []
    while wanted > 0.5 * np.pi * smallest**2:
        fitting = max(min(largest, np.sqrt(wanted / np.pi)), smallest)
        radius = rng.uniform(max(0.5 * fitting, smallest), fitting)
        # The last region takes the area that is left.
        radius = fitting if wanted < 2 * np.pi * radius**2 else radius
        centre = _free_place(rng, tissue, tumours, radius)
        if centre is None and radius == smallest:
            break
        if centre is None:
            largest = max(0.8 * radius, smallest)
            continue
        blob = draw_blob(rng, centre, np.array([radius, radius]), roughness=0.3)
        tumours.append(blob)
        wanted -= np.pi * radius**2
    return tumours


def _free_place(
    rng: np.random.RandomState, tissue: Blob, tumours: list[Blob], radius: float
) -> Floats | None:
    """Return the centre of a free place, or None if a few trials find none."""
    around = 1.3 * radius * np.exp(2j * np.pi * np.arange(16) / 16)
    for _ in range(50):
        centre = tissue.centre + rng.uniform(-1, 1, size=2) * tissue.radii
        gaps = [np.hypot(*(t.centre - centre)) - 1.3 * t.radii[0] for t in tumours]
        is_apart = all(gap > 1.3 * radius for gap in gaps)
        edge = tissue.depth(centre[0] + around.imag, centre[1] + around.real)
        if is_apart and (edge > 0.03).all():
            return centre
    return None
