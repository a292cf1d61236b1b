"""Storage of the finished tiles of an unfinished map."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import skhisto
from skhisto._atomic_file import atomic_path
from skhisto.maps._plan import MapPlan, TileValues


class PartialMap:
    """Storage of each tile in a small file.

    If the process is killed, at most one tile is lost. Files are written atomically.
    The checksum of npz files detects damage from a power failure.

    Parameters
    ----------
    folder : Path
        A folder for this slide. It contains one folder per plan, so that tiles of
        another model or other settings are never used.
    plan : MapPlan
    """

    def __init__(self, folder: Path, plan: MapPlan) -> None:
        self._plan = plan
        self._parent = folder
        self._folder = folder / _key(plan)
        self._folder.mkdir(parents=True, exist_ok=True)

    def done(self) -> list[int]:
        """Return the numbers of readable tiles and delete damaged tiles."""
        return [number for number in self._plan.todo if self._is_readable(number)]

    def write(self, number: int, values: np.ndarray) -> None:
        """Store a tile."""
        with atomic_path(self._path(number)) as temporary:
            np.savez(temporary, values=values)

    def tiles(self) -> Iterator[TileValues]:
        """Yield all tiles of the plan."""
        for number in self._plan.todo:
            yield number, self._read(number)

    def _is_readable(self, number: int) -> bool:
        path = self._path(number)
        if not path.exists():
            return False
        try:
            self._read(number)
        except Exception:  # NumPy and zipfile raise many types
            path.unlink()
            return False
        return True

    def _read(self, number: int) -> np.ndarray:
        with np.load(self._path(number), allow_pickle=False) as content:
            values = content["values"]
        expected = (*self._plan.tiles[number].shape, len(self._plan.classes))
        if values.shape != expected or values.dtype != np.float32:
            raise ValueError(f"values of shape {values.shape}, expected {expected}")
        return values

    def _path(self, number: int) -> Path:
        return self._folder / f"tile-{number:06}.npz"


def remove_partial_maps(folder: Path) -> None:
    """Remove the tiles of a slide. Other files in its folder are kept."""
    for path in folder.glob("*/*tile-*.npz"):  # includes temporary files after a kill
        path.unlink()
    for path in [*folder.glob("*"), folder]:
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _key(plan: MapPlan) -> str:
    """Return a hash of everything that determines the tiles of a plan."""
    from skhisto._keras.runtime import versions

    parts: dict[str, Any] = {
        "versions": {**versions(), "skhisto": skhisto.__version__},
        "model": plan.model_fingerprint,
        "slide": plan.image.fingerprint,
        "image": [plan.image.shape, plan.image.scale],
        "grid": [plan.grid.size, plan.grid.stride],
        "wanted": hashlib.sha256(plan.wanted.tobytes()).hexdigest(),
        "tiles": [str(tile) for tile in plan.tiles],
        "way": plan.scorer.way,
    }
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
