"""Search for patches that look alike in one of the eight views of the square.

Comparing all pairs of n patches in eight views takes 4 n**2 comparisons of hashes.
Multi-index hashing [1]_ compares only candidates. It splits the 64 bits into four bands
of 16 bits. Two hashes that differ in at most 7 bits differ in at most one bit in at
least one band. It is therefore sufficient to look up each band, and its 16 neighbours
with one different bit, in a table of all bands. All pairs are found.

References
----------
.. [1] M. Norouzi, A. Punjani, D. J. Fleet, "Fast Search in Hamming Space with
   Multi-Index Hashing", CVPR 2012.
"""

from collections.abc import Iterator

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from skhisto.report._perceptual_hash import N_BITS, eight_views, hashes

MAX_BITS = 7
"""Largest number of different bits. Copies that were saved as JPEG with quality 40,
blurred, brightened or covered with noise differ in 0 to 5 bits, unrelated patches
almost always in 11 or more."""

MIN_COSINE = 0.95
"""Smallest cosine between the coefficients. It is 0.96 or more for these copies, and
below 0.9 for unrelated patches whose hashes agree by chance."""

_N_BANDS = 4
_BAND_BITS = N_BITS // _N_BANDS
_PROBES = np.append(0, 1 << np.arange(_BAND_BITS))  # the band and its neighbours

_ROWS_PER_STEP = 512
_MAX_CANDIDATES = 2**20  # in memory at a time
_MAX_EDGES = 2**20


def sets_of_near_duplicates(coefs: np.ndarray) -> np.ndarray:
    """Return the set number of each patch. Patches that look alike share a number.

    Parameters
    ----------
    coefs : ndarray of shape (n, 8, 8)
        Output of `skhisto.report._perceptual_hash.coefficients`.

    Returns
    -------
    sets : ndarray of shape (n,), int
        Connected components. If a looks like b and b looks like c, all three are in one
        set.
    """
    sets, edges, n_edges = np.arange(len(coefs)), [], 0
    for pairs in _pairs(coefs):
        edges.append(pairs)
        n_edges += len(pairs)
        if n_edges > _MAX_EDGES:  # many copies of one patch give many pairs
            sets, edges, n_edges = _connected(sets, edges), [], 0
    return _connected(sets, edges)


def _connected(sets: np.ndarray, edges: list[np.ndarray]) -> np.ndarray:
    """Merge the sets that are connected by pairs of patches."""
    n = len(sets)
    known = np.column_stack([np.arange(n), np.unique(sets, return_index=True)[1][sets]])
    first, second = np.concatenate([known, *edges]).T
    graph = coo_array((np.ones(len(first), bool), (first, second)), shape=(n, n))
    return connected_components(graph, directed=False)[1]


def _pairs(coefs: np.ndarray) -> Iterator[np.ndarray]:
    """Yield pairs of patches that look alike, as arrays of shape (n_pairs, 2)."""
    stored = hashes(coefs)
    tables = [_Table(band) for band in _bands(stored).T]
    for start in range(0, len(coefs), _ROWS_PER_STEP):
        views = eight_views(coefs[start : start + _ROWS_PER_STEP])
        asked = hashes(views).ravel()
        for table, bands in zip(tables, _bands(asked).T, strict=True):
            for query, row in table.look_up(bands):
                differing = np.bitwise_count(asked[query] ^ stored[row])
                near = (row > start + query // 8) & (differing <= MAX_BITS)
                query, row = query[near], row[near]
                seen = views.reshape(-1, N_BITS)[query]
                other = coefs.reshape(-1, N_BITS)[row].astype(np.float32)
                alike = np.einsum("ij,ij->i", seen, other) >= MIN_COSINE
                yield np.column_stack([start + query // 8, row])[alike]


class _Table:
    """Patches by the value of one band of their hashes."""

    def __init__(self, bands: np.ndarray) -> None:
        self.order = np.argsort(bands, kind="stable")
        self.starts = np.searchsorted(bands[self.order], np.arange(2**_BAND_BITS + 1))

    def look_up(self, bands: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield positions in `bands` and patches whose band differs in 0 or 1 bits."""
        keys = (bands[:, np.newaxis] ^ _PROBES).ravel()
        first, counts = self.starts[keys], self.starts[keys + 1] - self.starts[keys]
        parts = np.cumsum(counts) // _MAX_CANDIDATES
        for part in np.split(
            np.arange(len(keys)), np.flatnonzero(np.diff(parts, prepend=parts[:1]))
        ):
            n = counts[part]
            within = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
            row = self.order[np.repeat(first[part], n) + within]
            yield np.repeat(part // len(_PROBES), n), row


def _bands(numbers: np.ndarray) -> np.ndarray:
    """Split hashes into bands, of shape (n, 4), as integers."""
    parts = np.ascontiguousarray(numbers).view(np.uint16)
    return parts.reshape(-1, _N_BANDS).astype(np.intp)
