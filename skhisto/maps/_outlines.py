"""The outlines of cells as polygons."""

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

# Directions in the order of right turns: along columns, rows, and back.
_RIGHT, _DOWN, _LEFT, _UP = range(4)


def outlines(is_in: np.ndarray) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Trace the outlines of connected cells, exactly along their sides.

    Cells are connected if they share a side. Each set of connected cells has one outer
    outline and one outline for each hole. No outline passes a point twice, so that the
    polygons are valid as in OGC's Simple Features. Holes may touch the outer outline in
    a point.

    Parameters
    ----------
    is_in : ndarray of bool of shape (n_rows, n_columns)

    Returns
    -------
    rings : list of ndarray of int of shape (n, 2)
        Corners of each outline (x, y) in cells, without the first one repeated.
        Outer outlines are counter-clockwise if y points up, and holes are clockwise.
    parts : ndarray of int of shape (n_rings,)
        To which set of connected cells an outline belongs, in ascending order. The
        outer outline comes first.
    labels : ndarray of int of shape (n_rows, n_columns)
        The set of each cell, from 1. 0 is none.
    """
    labels, _ = ndimage.label(is_in)
    corners, next_corner, part_of_corner = _linked_corners(labels)
    rings, parts = [], []
    for ring in _cycles(next_corner.tolist()):
        rings.append(corners[ring])
        parts.append(part_of_corner[ring[0]])
    # Corners are in reading order: the first of a set is on its outer outline.
    order = np.argsort(np.asarray(parts, int), kind="stable")
    return [rings[i] for i in order], np.asarray(parts, int)[order], labels


def _linked_corners(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the corners of all outlines, their successors, and their sets.

    An outline has its cells on the right of its direction, with y down.
    """
    around = np.pad(labels, 1)
    nw, ne, sw, se = around[:-1, :-1], around[:-1, 1:], around[1:, :-1], around[1:, 1:]
    # In each direction, the cells on the right and on the left of the way out of a
    # point, and of the way into it.
    ways_out = ((se, ne), (sw, se), (nw, sw), (ne, nw))
    ways_in = ((sw, nw), (nw, ne), (ne, se), (se, sw))
    is_out = [(right > 0) & (left == 0) for right, left in ways_out]
    is_in = [(right > 0) & (left == 0) for right, left in ways_in]
    # Where two cells touch in a point only, an outline goes around the cells if they
    # belong to different sets. Otherwise it goes around the gaps, which must belong to
    # different outlines, because the set surrounds one of them.
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

    Along a line, beginnings and ends of sides in one direction alternate.
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
    """Yield the cycles of a permutation, in the order of their smallest members."""
    is_unseen = [True] * len(successors)
    for start in range(len(successors)):
        cycle, position = [], start
        while is_unseen[position]:
            is_unseen[position] = False
            cycle.append(position)
            position = successors[position]
        if cycle:
            yield cycle
