"""Conversion of maps to QuPath objects."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import ndimage

from skhisto.maps._outlines import outlines
from skhisto.slides._polygons import import_shapely

_DECIMALS = 3  # decimals of a pixel, to keep files small
_Shape = tuple[Any, dict[str, float]]


def regions(
    probability: np.ndarray, is_in: np.ndarray, origin: Any, stride: float
) -> Iterator[_Shape]:
    """Yield a polygon and measurements for each set of connected cells.

    Parameters
    ----------
    probability : ndarray of shape (n_rows, n_columns)
    is_in : ndarray of bool of shape (n_rows, n_columns)
        The cells to outline.
    origin : tuple of float
        Upper left corner (x, y) of the first cell.
    stride : float
        Side of a cell.

    Yields
    ------
    polygon : shapely Polygon
    measurements : dict
        Mean and maximum probability, and the number of cells.
    """
    shapely = import_shapely()
    rings, parts, labels = outlines(is_in)
    numbers = np.arange(1, labels.max() + 1)
    mean = ndimage.mean(probability, labels, numbers)
    highest = ndimage.maximum(probability, labels, numbers)
    n_cells = np.bincount(labels.ravel(), minlength=1)[1:]
    ends = np.searchsorted(parts, numbers, side="right")
    start = 0
    for i, end in enumerate(ends):
        shell, *holes = (_at(ring, origin, stride) for ring in rings[start:end])
        start = end
        yield (
            shapely.Polygon(shell, holes),
            {
                "mean probability": mean[i],
                "max probability": highest[i],
                "cells": n_cells[i],
            },
        )


def tiles(
    probabilities: np.ndarray,
    is_in: np.ndarray,
    origin: Any,
    stride: float,
    names: list[str],
) -> Iterator[_Shape]:
    """Yield a square and the probabilities of all classes for each cell.

    Parameters
    ----------
    probabilities : ndarray of shape (n_rows, n_columns, n_classes)
    is_in : ndarray of bool of shape (n_rows, n_columns)
        The cells.
    origin : tuple of float
        Upper left corner (x, y) of the first cell.
    stride : float
        Side of a cell.
    names : list of str
        Names of the classes.

    Yields
    ------
    polygon : shapely Polygon
    measurements : dict
        The probability of each class.
    """
    rows, columns = np.nonzero(is_in)
    corners = np.column_stack([columns, rows])
    left, top = _at(corners, origin, stride).T
    right, bottom = _at(corners + 1, origin, stride).T
    squares = import_shapely().box(left, top, right, bottom)
    keys = [f"prob_{name}" for name in names]
    for square, values in zip(squares, probabilities[is_in].tolist(), strict=True):
        yield square, dict(zip(keys, values, strict=True))


def _at(points: np.ndarray, origin: Any, stride: float) -> np.ndarray:
    """Convert points from cells to pixels of level 0."""
    return np.round(np.asarray(origin) + stride * points, _DECIMALS)
