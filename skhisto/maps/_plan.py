"""The plan of a map, and its computation tile by tile."""

import math
from collections.abc import Collection, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from skhisto._data.decoding import prefetch
from skhisto.maps._fingerprint import fingerprint_of
from skhisto.maps._image import MappedImage, as_image
from skhisto.maps._result import ProbabilityMap
from skhisto.maps._scoring import Scorer, choose_scorer
from skhisto.maps._tiles import BoxReader, Tile, split_cells
from skhisto.maps._tissue import wanted_cells
from skhisto.maps._windows import check_window, use_of_windows
from skhisto.slides import WindowGrid

TileValues = tuple[int, np.ndarray]
"""Number and float32 probabilities (n_rows, n_columns, n_classes) of a tile."""


@dataclass(frozen=True)
class MapPlan:
    """Everything that determines a map.

    The same estimator, slide, stride and memory limit give the same plan. The
    probabilities of a tile do not depend on other tiles. Therefore, an interrupted map
    can be continued with a bitwise equal result.

    Parameters
    ----------
    image : MappedImage
    grid : WindowGrid
    wanted : ndarray of bool of shape (n_rows, n_columns)
        The cells to score.
    tiles : tuple of Tile
    scorer : Scorer
    classes : ndarray of shape (n_classes,)
    model_fingerprint : str
    """

    image: MappedImage
    grid: WindowGrid
    wanted: np.ndarray
    tiles: tuple[Tile, ...]
    scorer: Scorer
    classes: np.ndarray
    model_fingerprint: str

    @property
    def todo(self) -> list[int]:
        """Numbers of the tiles with cells to score."""
        return [
            number
            for number, tile in enumerate(self.tiles)
            if self.wanted[tile.cells].any()
        ]


def plan_map(
    estimator: Any,
    slide: Any,
    stride: int,
    *,
    window: int | tuple[int, int] | None,
    mpp: float | None,
    mask: Any,
    max_memory: float,
) -> MapPlan:
    """Check all arguments and decide how a map is computed.

    The parameters are those of `probability_map`.
    """
    use = use_of_windows(estimator, window)
    image = as_image(slide, mpp)
    grid = WindowGrid(image.shape[:2], use.window, stride)
    if not (isinstance(max_memory, Real) and 0 < max_memory < math.inf):
        raise ValueError(f"max_memory must be a positive number, got {max_memory!r}.")
    check_window(estimator, use, image.shape[2])
    scorer = choose_scorer(estimator, use, grid.stride)
    largest = scorer.largest_tile(grid.shape, image.shape[2], max_memory * 1e6)
    return MapPlan(
        image=image,
        grid=grid,
        wanted=wanted_cells(image, grid, mask),
        tiles=split_cells(grid.shape, largest),
        scorer=scorer,
        classes=np.asarray(estimator.classes_),
        model_fingerprint=fingerprint_of(estimator),
    )


def score_tiles(
    plan: MapPlan, done: Collection[int] = ()
) -> Generator[TileValues, None, None]:
    """Yield the remaining tiles with the probabilities of their cells.

    Cells that are not scored are NaN. Tiles without scored cells are left out. A thread
    reads the next tiles ahead.
    """
    numbers = [number for number in plan.todo if number not in done]
    read = BoxReader(plan.image.read)

    def region(number: int) -> np.ndarray:
        return read(*plan.scorer.layout.box(plan.tiles[number]))

    with (
        plan.scorer.opened() as score,
        closing(prefetch(region, numbers)) as regions,
    ):
        for number, pixels in zip(numbers, regions, strict=True):
            wanted = plan.wanted[plan.tiles[number].cells]
            values = np.full((*wanted.shape, len(plan.classes)), np.nan, np.float32)
            values[wanted] = score(pixels, wanted)
            yield number, values


def map_of_tiles(plan: MapPlan, tiles: Iterable[TileValues]) -> ProbabilityMap:
    """Assemble a map from its tiles."""
    shape = (*plan.grid.shape, len(plan.classes))
    probabilities = np.full(shape, np.nan, np.float32)
    for number, values in tiles:
        probabilities[plan.tiles[number].cells] = values
    return ProbabilityMap(probabilities=probabilities, **attributes_of_map(plan))


def attributes_of_map(plan: MapPlan) -> dict[str, Any]:
    """Return the attributes of a map that do not depend on its probabilities."""
    image, grid = plan.image, plan.grid
    top, left = grid.cell_origin
    height, width = grid.size
    return {
        "classes": plan.classes,
        "origin": (left * image.scale, top * image.scale),
        "stride": grid.stride * image.scale,
        "window": (width * image.scale, height * image.scale),
        "slide_shape": image.slide_shape,
        "mpp": image.mpp,
        "tissue": plan.wanted,
        "slide_name": image.name,
        "slide_fingerprint": image.fingerprint,
        "model_fingerprint": plan.model_fingerprint,
        "way": plan.scorer.way,
        "reason": plan.scorer.reason,
    }
