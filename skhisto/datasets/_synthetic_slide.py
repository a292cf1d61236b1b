"""Synthetic slides that are drawn block by block.

The pixels depend only on the seed of the slide and on positions in it. Blocks can be
drawn in any order and fit together.
"""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skhisto.datasets._position_noise import (
    Floats,
    fine_noise_at,
    smooth_noise_at,
    uniform_at,
)
from skhisto.datasets._slide_regions import Blob, draw_tissue_outline, draw_tumours
from skhisto.datasets._staining import draw_staining
from skhisto.datasets._synthetic_tissue import (
    HALO,
    Nuclei,
    chromatin,
    fibrous_eosin,
    nuclear_depth,
)

BLOCK = 512

# Microns per pixel of make_patches.
_PATCH_MPP = 0.97
_N_STAMPS = 64
# Streams of random numbers.
_COARSE, _BEND, _LEVEL, _CROWD, _DARK, _FINE = range(6)
_TUMOUR_STREAM, _LYMPH_STREAM = 10, 20


class SyntheticSlide:
    """One slide, drawn in blocks.

    Parameters
    ----------
    rng : RandomState
    shape : tuple of int (height, width)
        In pixels.
    tumor_share : float
        Share of the tissue that is tumour.
    mpp : float
        Microns per pixel.

    Attributes
    ----------
    tumors : list of Blob
    background : ndarray of shape (3,), uint8
        Colour of glass.
    """

    def __init__(
        self,
        rng: np.random.RandomState,
        shape: tuple[int, int],
        tumor_share: float,
        mpp: float,
    ) -> None:
        self.shape = shape
        self._scale = _PATCH_MPP / mpp
        self._seed = int(rng.randint(2**31))
        self._staining = draw_staining(rng)
        self.background = self._staining.stain(np.zeros((1, 2), np.float32))[0]
        self._tissue = draw_tissue_outline(rng, shape)
        self.tumors = draw_tumours(rng, self._tissue, tumor_share, self._scale)
        self._tears = -rng.uniform(1.8, 3.5)
        self._fibre_angle = rng.uniform(0, np.pi)
        self._fibre_frequency = 2 * np.pi / (rng.uniform(5, 9) * self._scale)
        self._darkness = rng.uniform(0.4, 0.7)
        radius = rng.uniform(4.8, 6.6) * self._scale
        self._tumour_nuclei = _NucleusKind(
            rng, self._seed, _TUMOUR_STREAM, radius, 2.5 * radius, 0.25, 0.09
        )
        spacing = rng.uniform(8.0, 9.5) * self._scale
        self._lymphocytes = _NucleusKind(
            rng, self._seed, _LYMPH_STREAM, 3.4 * self._scale, spacing, 0.15, 0.0
        )
        self._pad = max(self._tumour_nuclei.reach, self._lymphocytes.reach)

    def rows(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.bool_]]]:
        """Yield the pixels and the tumour mask of each row of blocks, top to bottom."""
        height, width = self.shape
        for top in range(0, height, BLOCK):
            n_rows = min(BLOCK, height - top)
            pixels = np.empty((n_rows, width, 3), dtype=np.uint8)
            mask = np.empty((n_rows, width), dtype=bool)
            for left in range(0, width, BLOCK):
                block, block_mask = self._block(top, left)
                part = np.s_[:n_rows, : width - left]
                pixels[:, left : left + BLOCK] = block[part]
                mask[:, left : left + BLOCK] = block_mask[part]
            yield pixels, mask

    def _block(
        self, top: int, left: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        mask = np.zeros((BLOCK, BLOCK), dtype=bool)
        if not self._may_have_tissue(top, left):
            return np.broadcast_to(self.background, (BLOCK, BLOCK, 3)), mask
        # Nuclei centred outside the block reach into it and depend on the tissue there.
        pad = self._pad
        rows = np.arange(top - pad, top + BLOCK + pad)
        columns = np.arange(left - pad, left + BLOCK + pad)
        coarse = self._noise(_COARSE, rows, columns, 9 * self._scale)
        solid = self._is_solid(rows, columns, coarse)
        depth = self._tumour_depth(rows, columns)
        crowd = self._noise(_CROWD, rows, columns, 60 * self._scale)
        density = 0.65 + 0.35 * crowd + 0.3 * coarse

        tumour = self._tumour_nuclei
        cancer_depth = tumour.draw(
            top, left, pad, np.where(solid & (depth > 0.8 * tumour.radius), 1.0, 0.0)
        )
        lymph_depth = self._lymphocytes.draw(
            top, left, pad, np.where(solid & (depth < -2), density, 0.0)
        )
        inner = np.s_[pad : pad + BLOCK, pad : pad + BLOCK]
        mask = (depth[inner] > 0) & solid[inner]
        concentrations = self._stains(
            rows[pad:-pad],
            columns[pad:-pad],
            coarse[inner],
            solid[inner],
            cancer_depth,
            lymph_depth,
            depth[inner] > 0,
        )
        return self._staining.stain(concentrations), mask

    def _stains(
        self,
        rows: NDArray[Any],
        columns: NDArray[Any],
        coarse: Floats,
        solid: NDArray[np.bool_],
        cancer_depth: Floats,
        lymph_depth: Floats,
        region: NDArray[np.bool_],
    ) -> Floats:
        """Return haematoxylin and eosin, shape (BLOCK, BLOCK, 2)."""
        lymph_depth[cancer_depth > -HALO] = -np.inf
        solid = solid | (np.maximum(cancer_depth, lymph_depth) > -HALO)
        fine = fine_noise_at(self._seed, _FINE, rows, columns, 1.1 * self._scale)
        level = self._noise(_LEVEL, rows, columns, 90 * self._scale)
        dark = self._darkness + 0.07 * self._noise(
            _DARK, rows, columns, 70 * self._scale
        )
        haematoxylin = (
            (0.10 + 0.03 * fine + 0.05 * region) * solid
            + chromatin(lymph_depth, fine, density=dark, rim=0.15)
            + chromatin(cancer_depth, fine, density=0.65 * dark, rim=0.35)
        )
        bend = self._noise(_BEND, rows, columns, 8 * self._scale) + 3 * level
        down = math.sin(self._fibre_angle) * self._fibre_frequency * rows[:, None]
        right = math.cos(self._fibre_angle) * self._fibre_frequency * columns
        phase = (down + right).astype(np.float32) + 2.5 * bend
        eosin = fibrous_eosin(coarse, fine, phase, 0.6 * level, 0.19 + 0.04 * level)
        concentrations = np.stack([haematoxylin, eosin * solid], axis=-1)
        return np.maximum(concentrations, 0)

    def _may_have_tissue(self, top: int, left: int) -> bool:
        """Return whether a block may contain tissue."""
        rows, columns = (
            np.linspace(start - self._pad, start + BLOCK + self._pad, 17)
            for start in (top, left)
        )
        return bool((self._tissue.depth(rows[:, None], columns) > -0.15).any())

    def _is_solid(
        self, rows: NDArray[Any], columns: NDArray[Any], coarse: Floats
    ) -> NDArray[np.bool_]:
        """Return which pixels are inside the ragged outline and outside all tears."""
        ragged = 4 * self._scale * coarse / (0.5 * min(self.shape))
        depth = self._tissue.depth(rows[:, None] + 0.5, columns + 0.5)
        return (depth + ragged > 0) & (coarse > self._tears)

    def _tumour_depth(self, rows: NDArray[Any], columns: NDArray[Any]) -> Floats:
        """Return the distance to the outline of a tumour region in pixels."""
        depth = np.full((len(rows), len(columns)), -np.inf)
        for tumour in self.tumors:
            down, right = _near(tumour, 0, rows), _near(tumour, 1, columns)
            part = tumour.depth(rows[down][:, None] + 0.5, columns[right] + 0.5)
            part *= tumour.radii[0]
            depth[down, right] = np.maximum(depth[down, right], part)
        return depth

    def _noise(
        self, stream: int, rows: NDArray[Any], columns: NDArray[Any], sigma: float
    ) -> Floats:
        return smooth_noise_at(self._seed, stream, rows, columns, sigma)


class _NucleusKind:
    """Nuclei on a jittered hexagonal lattice over the whole slide.

    Each nucleus has one of a few shapes that are drawn once. A separate shape for each
    nucleus would take several times as long and look the same.
    """

    def __init__(
        self,
        rng: np.random.RandomState,
        seed: int,
        stream: int,
        radius: float,
        spacing: float,
        elongation: float,
        roughness: float,
    ) -> None:
        self.radius = radius
        self._spacing = spacing
        self._random = partial(uniform_at, seed)
        self._stream = stream
        largest = 1.2 * radius * (1 + elongation + 2 * roughness) + HALO
        self.reach = int(np.ceil(largest)) + 1
        self._stamps = self._draw_stamps(rng, elongation, roughness)

    def _draw_stamps(
        self, rng: np.random.RandomState, elongation: float, roughness: float
    ) -> Floats:
        """Draw the depth maps of the shapes, (n, 2 * reach + 1, 2 * reach + 1)."""
        side = 2 * self.reach + 1
        n = math.isqrt(_N_STAMPS)
        middles = np.indices((n, n)).reshape(2, -1).T * side + self.reach
        radii = self.radius * rng.uniform(0.8, 1.2, size=len(middles))
        # Centres are between pixels, but the middle pixel stays the nearest one.
        centres = middles + rng.uniform(-0.4, 0.4, size=middles.shape)
        sheet = nuclear_depth(
            rng, Nuclei(centres, radii, elongation, roughness), n * side
        )
        stamps = sheet.reshape(n, side, n, side).swapaxes(1, 2)
        return np.ascontiguousarray(stamps).reshape(-1, side, side)

    def draw(self, top: int, left: int, pad: int, density: Floats) -> Floats:
        """Draw the depth map of a block: how deep each pixel is inside a nucleus.

        Parameters
        ----------
        top, left : int
            Position of the block in pixels.
        pad : int
            Number of pixels around the block in `density`.
        density : ndarray of shape (BLOCK + 2 * pad, BLOCK + 2 * pad)
            Probability that a lattice point has a nucleus.
        """
        row, column, keep, stamp = self._lattice(top - pad, left - pad, len(density))
        is_kept = keep < density[row, column]
        row, column, stamps = (
            row[is_kept],
            column[is_kept],
            self._stamps[stamp[is_kept]],
        )
        near = np.arange(-self.reach, self.reach + 1)
        rows = row[:, None, None] - pad + near[:, None]
        columns = column[:, None, None] - pad + near
        drawn = (stamps > -HALO) & (rows >= 0) & (rows < BLOCK)
        drawn &= (columns >= 0) & (columns < BLOCK)
        depth = np.full(BLOCK * BLOCK, -np.inf, dtype=np.float32)
        np.maximum.at(depth, (rows * BLOCK + columns)[drawn], stamps[drawn])
        return depth.reshape(BLOCK, BLOCK)

    def _lattice(
        self, top: int, left: int, size: int
    ) -> tuple[NDArray[Any], NDArray[Any], Floats, NDArray[Any]]:
        """Return rows, columns, random numbers and shapes of points in a square."""
        apart = self._spacing * np.sqrt(3) / 2
        i = np.arange(int(top / apart) - 2, int((top + size) / apart) + 3)
        j = np.arange(
            int(left / self._spacing) - 2, int((left + size) / self._spacing) + 3
        )
        i, j = (index.ravel() for index in np.meshgrid(i, j, indexing="ij"))
        down, right, keep, stamp = (
            self._random(self._stream + k, i, j) for k in range(4)
        )
        row = apart * i + 0.44 * self._spacing * (down - 0.5) - top
        column = self._spacing * (j + 0.5 * (i % 2) + 0.44 * (right - 0.5)) - left
        row, column = np.rint(row).astype(int), np.rint(column).astype(int)
        inside = (row >= 0) & (row < size) & (column >= 0) & (column < size)
        stamps = (stamp * _N_STAMPS).astype(int)
        return row[inside], column[inside], keep[inside], stamps[inside]


def _near(tumour: Blob, axis: int, positions: NDArray[Any]) -> slice:
    """Return the slice of ascending positions that a region can reach."""
    # Outlines exceed the mean radius by a third at most.
    reach = 1.5 * tumour.radii[axis]
    ends = tumour.centre[axis] + np.array([-reach, reach])
    start, stop = np.searchsorted(positions, ends)
    return slice(int(start), int(stop))
