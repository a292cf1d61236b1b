"""Persistent storage of the features of patches.

A store is one SQLite file per backbone and settings. SQLite is part of Python. Its
transactions make writing atomic, and its locks allow access from several processes. The
number of files does not depend on the number of patches. Features are stored as the
bytes of little-endian float32 numbers, so reading them never executes code.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

_FORMAT = 1
_DTYPE = np.dtype("<f4")
_SECONDS_TO_WAIT = 60  # while another process is writing


class FeatureStore:
    """Features by patch hash, shared by processes.

    Parameters
    ----------
    folder : str or path-like
        The folder. It is created if it does not exist.
    identity : dict
        Everything except the patches that determines the features. Each identity has
        its own file.
    n_features : int
        Number of features of a patch.
    """

    def __init__(
        self, folder: str | os.PathLike[str], identity: dict[str, Any], n_features: int
    ) -> None:
        settings = json.dumps({"format": _FORMAT} | identity, sort_keys=True)
        digest = hashlib.sha256(settings.encode()).hexdigest()
        self.path = Path(folder, f"features-{digest[:32]}.sqlite")
        self._settings = settings
        self._n_features = n_features

    def read(self, keys: Sequence[bytes]) -> list[np.ndarray | None]:
        """Return the features of each key, or None for unknown keys."""
        with self._opened() as connection:
            rows = [
                connection.execute(
                    "SELECT features FROM patches WHERE hash = ?", (key,)
                ).fetchone()
                for key in keys
            ]
        return [None if row is None else self._decoded(row[0]) for row in rows]

    def write(self, keys: Sequence[bytes], features: np.ndarray) -> None:
        """Add features. After an error, none of them are stored."""
        rows = zip(keys, map(np.ndarray.tobytes, features.astype(_DTYPE)), strict=True)
        with self._opened() as connection, connection:
            connection.executemany("INSERT OR IGNORE INTO patches VALUES (?, ?)", rows)

    def _decoded(self, stored: Any) -> np.ndarray:
        if not isinstance(stored, bytes) or len(stored) != 4 * self._n_features:
            raise self._corrupt("it contains features of another length")
        return np.frombuffer(stored, _DTYPE)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(
                sqlite3.connect(self.path, timeout=_SECONDS_TO_WAIT)
            ) as connection:
                self._create_tables(connection)
                yield connection
        except sqlite3.OperationalError as error:
            raise OSError(
                f"The stored features in '{self.path}' cannot be used: {error}. Check "
                "that the folder of the parameter memory is writable and has space."
            ) from error
        except sqlite3.DatabaseError as error:
            raise self._corrupt(error) from error

    def _create_tables(self, connection: sqlite3.Connection) -> None:
        with connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS patches "
                "(hash BLOB PRIMARY KEY, features BLOB NOT NULL)"
            )
            # For people who inspect the file.
            connection.execute(
                "CREATE TABLE IF NOT EXISTS settings (json TEXT PRIMARY KEY)"
            )
            if connection.execute("SELECT json FROM settings").fetchone() is None:
                connection.execute(
                    "INSERT OR IGNORE INTO settings VALUES (?)", (self._settings,)
                )

    def _corrupt(self, cause: Any) -> ValueError:
        return ValueError(
            f"The stored features in '{self.path}' are corrupt: {cause}. Delete the "
            "file, so that the patches are embedded again."
        )


def keys_of(patches: np.ndarray) -> list[bytes]:
    """Return a hash of each patch that covers pixels, shape and dtype."""
    start = hashlib.blake2b(digest_size=20)
    start.update(f"{patches.dtype.str} {patches.shape[1:]}".encode())
    keys = []
    for patch in patches:
        digest = start.copy()
        digest.update(np.ascontiguousarray(patch).data)
        keys.append(digest.digest())
    return keys
