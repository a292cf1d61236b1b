"""Outlines of cells as polygons."""

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

# Directions in the order of right turns: right, down, left, up.
_RIGHT, _DOWN, _LEFT, _UP = range(4)


def outlines(is_in: np.ndarray) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Trace the outlines of connected cells exactly along their sides.

    Cells are connected if they share a side. Each set of connected cells has one outer
    outline and one outline per hole. An outline never passes a point twice, so the
    polygons are valid as defined in OGC's Simple Features. Holes may touch the outer
    outline in single points.

    Parameters
    ----------
    is_in : ndarray of bool of shape (n_rows, n_columns)

    Returns
    -------
    rings : list of ndarray of int of shape (n, 2)
        Corners (x, y) of each outline in cells. The first corner is not repeated. If y
        points up, outer outlines are counter-clockwise and holes are clockwise.
    parts : ndarray of int of shape (n_rings,)
        The set of connected cells of each outline, in ascending order. The outer
        outline of a set comes first.
    labels : ndarray of int of shape (n_rows, n_columns)
        The set of each cell, from 1. 0 means not in a set.
    """
    labels, _ = ndimage.label(is_in)
    corners, next_corner, part_of_corner = _linked_corners(labels)
    rings, parts = [], []
    for ring in _cycles(next_corner.tolist()):
        rings.append(corners[ring])
        parts.append(part_of_corner[ring[0]])
    # Corners are in reading order, so the first one of a set is on its outer outline.
    order = np.argsort(np.asarray(parts, int), kind="stable")
    return [rings[i] for i in order], np.asarray(parts, int)[order], labels


def _linked_corners(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the corners of all outlines, their successors, and their sets.

    Seen along an outline, its cells are on the right (with y down).
    """
    around = np.pad(labels, 1)
    nw, ne, sw, se = around[:-1, :-1], around[:-1, 1:], around[1:, :-1], around[1:, 1:]
    # For each direction: the cells to the right and left of a side that leaves a point,
    # and of a side that enters it.
    ways_out = ((se, ne), (sw, se), (nw, sw), (ne, nw))
    ways_in = ((sw, nw), (nw, ne), (ne, se), (se, sw))
    is_out = [(right > 0) & (left == 0) for right, left in ways_out]
    is_in = [(right > 0) & (left == 0) for right, left in ways_in]
    # If two cells touch only in a point and belong to different sets, each has its own
    # outline. If they belong to the same set, the outlines separate the two gaps
    # instead, because the set surrounds one of them.
    is_pinched = is_in[_RIGHT] & is_in[_LEFT] | is_in[_DOWN] & is_in[_UP]
    turns_left = is_pinched & (np.maximum(nw, ne) == np.maximum(sw, se))
    found = []
    for into in range(4):
        for turn in (1, 3):
            out = (into + turn) % 4
            is_corner = is_in[into] & is_out[out]
            is_corner &= ~is_pinched | (turns_left == (turn == 3))
            rows, columns = np.nonzero(is_corner)
            part = ways_out[out][0][rows, columns]
            found.append([rows, columns, 0 * rows + into, 0 * rows + out, part])
    corners = np.concatenate(found, axis=1)
    rows, columns, into, out, part = corners[:, np.lexsort(corners[1::-1])]
    return (
        np.column_stack([columns, rows]),
        _next_corners(rows, columns, into, out),
        part,
    )


def _next_corners(
    rows: np.ndarray, columns: np.ndarray, into: np.ndarray, out: np.ndarray
) -> np.ndarray:
    """Return the corner at the end of the side that begins at each corner.

    Along a line, starts and ends of sides with the same direction alternate.
    """
    next_corner = np.empty(len(rows), int)
    for direction in range(4):
        starts, ends = (
            np.flatnonzero(out == direction),
            np.flatnonzero(into == direction),
        )
        if direction in (_DOWN, _UP):
            starts = starts[np.lexsort((rows[starts], columns[starts]))]
            ends = ends[np.lexsort((rows[ends], columns[ends]))]
        next_corner[starts] = ends
    return next_corner


def _cycles(successors: list[int]) -> Iterator[list[int]]:
    """Yield the cycles of a permutation, ordered by their smallest members."""
    is_unseen = [True] * len(successors)
    for start in range(len(successors)):
        cycle, position = [], start
        while is_unseen[position]:
            is_unseen[position] = False
            cycle.append(position)
            position = successors[position]
        if cycle:
            yield cycle
