"""Synthetic lymph node tissue: haematoxylin and eosin of each pixel.

Lengths are in pixels of about one micron, as in PatchCamelyon (10x). Lymphocyte nuclei
measure 6 to 8 microns, tumour nuclei 8 to 16. Concentrations are optical densities.
"""

import math
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Tumour = Literal["none", "ring", "centre"]
Floats = NDArray[np.floating[Any]]
Point = NDArray[np.integer[Any]]

# Smaller patches get smaller nuclei, so that they still show several.
FULL_SCALE_SIZE = 48

# A nucleus colours pixels up to half a pixel outside its outline. It is surrounded by a
# little more tissue, even in a tear.
EDGE = -0.5
HALO = 1.5


class Nuclei(NamedTuple):
    """Nuclei of one kind: ellipses whose outlines are modulated by harmonics."""

    centres: Floats
    """Rows and columns, shape (n_nuclei, 2)."""
    radii: Floats
    """Mean radii, shape (n_nuclei,)."""
    elongation: float
    """Largest amplitude of the second harmonic, as a share of the radius."""
    roughness: float
    """Largest amplitude of the third and fourth harmonic."""


def draw_tissue(
    rng: np.random.RandomState, size: int, tumour: Tumour
) -> tuple[Floats, NDArray[np.bool_]]:
    """Draw one patch of tissue.

    Parameters
    ----------
    rng : RandomState
        Source of the random numbers.
    size : int
        Height and width in pixels.
    tumour : {"none", "ring", "centre"}
        Whether there is tumour, and whether it reaches the central third. Tumour covers
        the same share of the patch with "ring" and "centre".

    Returns
    -------
    concentrations : ndarray of shape (size, size, 2), float32
        Haematoxylin and eosin.
    tumour_mask : ndarray of shape (size, size), bool
        Pixels of tumour nuclei.
    """
    scale = min(1.0, size / FULL_SCALE_SIZE)
    coarse = smooth_noise(rng, size, 9 * scale)
    fine = smooth_noise(rng, size, 1.1)
    solid = coarse > -rng.uniform(1.2, 3.5)

    # Tumour that reaches the centre contains this point.
    centre = central_third(size)
    seed = rng.randint(centre.start, centre.stop, size=2)
    region = draw_tumour_region(rng, size, scale, tumour, seed)
    cancer = place_tumour_nuclei(rng, region & solid, scale, tumour, seed)
    keep_out = None if tumour == "centre" else centre
    cancer_depth = nuclear_depth(rng, cancer, size, keep_out)
    lymph = place_lymphocytes(rng, solid & ~region, scale)
    lymph_depth = nuclear_depth(rng, lymph, size)
    lymph_depth[cancer_depth > -HALO] = -np.inf

    solid = solid | (np.maximum(cancer_depth, lymph_depth) > -HALO)
    haematoxylin = (
        (0.10 + 0.03 * fine + 0.05 * region) * solid
        + chromatin(lymph_depth, fine, density=rng.uniform(0.35, 0.8), rim=0.15)
        + chromatin(cancer_depth, fine, density=rng.uniform(0.2, 0.55), rim=0.35)
    )
    eosin = eosin_fibres(rng, coarse, fine, scale) * solid
    concentrations = np.stack([haematoxylin, eosin], axis=-1)
    return np.maximum(concentrations, 0), cancer_depth > EDGE


def central_third(size: int) -> slice:
    """Return the rows (or columns) of the central third, which decides the label."""
    return slice(size // 3, size - size // 3)


def smooth_noise(rng: np.random.RandomState, size: int, sigma: float) -> Floats:
    """Return Gaussian-filtered white noise with mean 0 and variance 1."""
    noise = rng.random_sample((size, size)).astype(np.float32)
    noise = ndimage.gaussian_filter(noise, sigma, truncate=2)
    noise -= noise.mean()
    noise /= noise.std()
    return noise


def draw_tumour_region(
    rng: np.random.RandomState, size: int, scale: float, tumour: Tumour, seed: Point
) -> NDArray[np.bool_]:
    """Draw the mask of a tumour region at the seed or in the ring."""
    if tumour == "none":
        return np.zeros((size, size), dtype=bool)
    pixel = np.arange(size)
    centre = central_third(size)
    if tumour == "centre":
        rows, columns = ((pixel - s) / (14 * scale) for s in seed)
        sign = 3
    else:
        outside = np.maximum(centre.start - pixel, pixel - centre.stop + 1)
        rows = columns = np.maximum(outside, 0) / (9 * scale)
        sign = -5
    attraction = np.exp(-(rows[:, None] ** 2) - columns**2)
    field = smooth_noise(rng, size, 12 * scale) + sign * attraction
    return field > np.quantile(field, 1 - rng.uniform(0.15, 0.65))


def place_tumour_nuclei(
    rng: np.random.RandomState,
    region: NDArray[np.bool_],
    scale: float,
    tumour: Tumour,
    seed: Point,
) -> Nuclei:
    """Pack large nuclei into a region. With "centre", one of them is at the seed."""
    radius = rng.uniform(4.8, 6.6) * scale
    spacing = 2.5 * radius
    centres = jittered_lattice(rng, len(region), spacing)
    centres = centres[sample_at(region, centres)]
    if tumour == "centre":
        apart = np.linalg.norm(centres - seed, axis=1) > 0.8 * spacing
        centres = np.vstack([seed, centres[apart]])
    radii = radius * rng.uniform(0.8, 1.2, size=len(centres))
    return Nuclei(centres, radii, elongation=0.25, roughness=0.09)


def place_lymphocytes(
    rng: np.random.RandomState, region: NDArray[np.bool_], scale: float
) -> Nuclei:
    """Scatter small nuclei over a region with varying density."""
    spacing = rng.uniform(8.0, 9.5) * scale
    centres = jittered_lattice(rng, len(region), spacing)
    density = rng.uniform(0.2, 1.1) + 0.3 * smooth_noise(rng, len(region), 10 * scale)
    density[~region] = 0
    centres = centres[sample_at(density, centres) > rng.random_sample(len(centres))]
    radii = rng.uniform(2.9, 3.9, size=len(centres)) * scale
    return Nuclei(centres, radii, elongation=0.15, roughness=0.0)


def jittered_lattice(rng: np.random.RandomState, size: int, spacing: float) -> Floats:
    """Return jittered points of a hexagonal lattice over a patch and a margin."""
    count = int(size / (0.86 * spacing)) + 4
    rows, columns = np.mgrid[:count, :count].reshape(2, -1).astype(float)
    points = np.stack([rows * np.sqrt(3) / 2, columns + 0.5 * (rows % 2)], axis=1)
    points += rng.uniform(-0.22, 0.22, size=points.shape) - rng.uniform(1, 2, size=2)
    points *= spacing
    return points[np.all((points > -spacing) & (points < size + spacing), axis=1)]


def sample_at(image: NDArray[Any], points: Floats) -> NDArray[Any]:
    """Return the values of an image at points, clipped to the nearest pixel."""
    rows, columns = np.clip(points.astype(int), 0, len(image) - 1).T
    return image[rows, columns]


def nuclear_depth(
    rng: np.random.RandomState,
    nuclei: Nuclei,
    size: int,
    keep_out: slice | None = None,
) -> Floats:
    """Return the distance in pixels from each pixel to the outline of its nucleus.

    It is positive inside a nucleus and minus infinity far from all nuclei. Nuclei that
    colour a pixel in the rows and columns of `keep_out` are left out.
    """
    depth = np.full(size * size, -np.inf, dtype=np.float32)
    if not len(nuclei.centres):
        return depth.reshape(size, size)
    farthest = 1 + nuclei.elongation + 2 * nuclei.roughness
    reach = int(np.ceil(farthest * nuclei.radii.max() + HALO))
    near = np.arange(-reach, reach + 1)
    pixels = np.rint(nuclei.centres).astype(int)
    rows = pixels[:, 0, None, None] + near[:, None]
    columns = pixels[:, 1, None, None] + near

    # The offset from the centre is a complex number, whose powers give the harmonics.
    offset = np.empty(np.broadcast_shapes(rows.shape, columns.shape), np.complex64)
    offset.real = columns - nuclei.centres[:, 1, None, None]
    offset.imag = rows - nuclei.centres[:, 0, None, None]
    distance = np.abs(offset)
    direction = offset / np.maximum(distance, 1e-6)
    wave = direction * direction
    outline = 1 + harmonic(rng, wave, nuclei.elongation)
    if nuclei.roughness:
        for _ in range(2):
            wave *= direction
            outline += harmonic(rng, wave, nuclei.roughness)
    local = nuclei.radii[:, None, None].astype(np.float32) * outline - distance

    if keep_out is not None:
        touching = (local > EDGE) & inside(rows, keep_out) & inside(columns, keep_out)
        local[touching.any(axis=(1, 2))] = -np.inf
    patch = slice(0, size)
    drawn = (local > -HALO) & inside(rows, patch) & inside(columns, patch)
    # Where nuclei overlap, the largest depth counts.
    np.maximum.at(depth, (rows * size + columns)[drawn], local[drawn])
    return depth.reshape(size, size)


def harmonic(
    rng: np.random.RandomState,
    wave: NDArray[np.complexfloating[Any, Any]],
    amplitude: float,
) -> Floats:
    """Return the modulation of outlines by waves of random amplitude and phase."""
    phase = 2 * np.pi * rng.random_sample(len(wave))
    height = amplitude * np.sqrt(rng.random_sample(len(wave)))
    real, imag = (height * [np.cos(phase), np.sin(phase)]).astype(np.float32)
    return real[:, None, None] * wave.real - imag[:, None, None] * wave.imag


def inside(indices: NDArray[Any], extent: slice) -> NDArray[np.bool_]:
    """Return whether indices are within a slice."""
    return (indices >= extent.start) & (indices < extent.stop)


def chromatin(
    depth: Floats, fine: Floats, density: float | Floats, rim: float
) -> Floats:
    """Return the haematoxylin of nuclei, denser along the outline and in clumps."""
    # Partly covered pixels keep the outlines smooth.
    coverage = np.clip(depth - EDGE, 0, 1)
    outline = rim * np.exp(-((depth - 0.8) ** 2))
    clumps = 0.5 * np.clip(fine - 0.6, 0, 1)
    return coverage * (density + outline + clumps)


def eosin_fibres(
    rng: np.random.RandomState, coarse: Floats, fine: Floats, scale: float
) -> Floats:
    """Return the eosin of the tissue between nuclei, with wavy fibres in places."""
    size = len(coarse)
    angle = rng.uniform(0, np.pi)
    frequency = 2 * np.pi / (rng.uniform(5, 9) * scale)
    pixel = np.arange(size, dtype=np.float32) * frequency
    bend = smooth_noise(rng, size, 8 * scale)
    phase = math.sin(angle) * pixel[:, None] + math.cos(angle) * pixel + 2.5 * bend
    threshold = rng.uniform(-1, 1)
    return fibrous_eosin(coarse, fine, phase, threshold, rng.uniform(0.1, 0.28))


def fibrous_eosin(
    coarse: Floats,
    fine: Floats,
    phase: Floats,
    threshold: float | Floats,
    level: float | Floats,
) -> Floats:
    """Return a constant level of eosin with fibres where noise is below a threshold."""
    fibrous = np.clip(threshold - coarse, 0, 1)
    return level + 0.04 * fine + 0.15 * fibrous * (1 + np.sin(phase))
