"""Save the state of one fit in a checkpoint, and resume from it."""

import errno
import hashlib
import warnings
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator

from skhisto._classifier.checkpoint_file import CheckpointFile
from skhisto._classifier.early_stopping import EarlyStopping
from skhisto._classifier.fingerprint import fingerprint
from skhisto._data.training_data import TrainingData

if TYPE_CHECKING:
    from skhisto._keras.network import InitialNetwork
    from skhisto._keras.training_loop import TrainingState

_FORMAT = 1

Document = dict[str, Any]
Arrays = dict[str, np.ndarray]


class SavedFit:
    """The checkpoint of one fit.

    Parameters
    ----------
    classifier : PatchCNNClassifier
        A classifier with a `checkpoint`. It is not changed.
    data : TrainingData
        The data before the validation split.
    seed : int
        The number that was drawn from `random_state`.
    is_continued : bool
        Whether the fit continues a previous fit.

    Attributes
    ----------
    seed : int
        The seed of the fit. With ``random_state=None``, an existing checkpoint
        determines it.
    is_finished : bool
        Whether the checkpoint contains the result of the fit.

    Raises
    ------
    OSError
        If the folder of the checkpoint cannot be created.

    Warns
    -----
    UserWarning
        If the file cannot be read.
    """

    def __init__(
        self,
        classifier: BaseEstimator,
        data: TrainingData,
        *,
        seed: int,
        is_continued: bool,
    ) -> None:
        classifier.checkpoint._validate_params()
        self.seed = seed
        self.is_finished = False
        self._every = classifier.checkpoint.every
        self._verbose = bool(classifier.verbose)
        self._keeps_optimizer = classifier.warm_start
        self._first_epoch = classifier.n_iter_ if is_continued else 0
        self._has_warned = False
        is_drawn = classifier.random_state is None
        name = fingerprint(
            classifier,
            data,
            seed=None if is_drawn else seed,
            is_continued=is_continued,
        )
        self._file = CheckpointFile(Path(classifier.checkpoint.folder, name))
        self._create_folder()
        self._stored = self._read()
        if self._stored is not None:
            document, _ = self._stored
            if is_drawn and document["is_finished"]:
                self._stored = None  # a finished fit with another seed
            elif is_drawn:
                self.seed = document["seed"]

    def _create_folder(self) -> None:
        try:
            self._file.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            # Training is possible on a full disk. A warning follows when writing fails.
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise

    def _read(self) -> tuple[Document, Arrays] | None:
        try:
            stored = self._file.read()
            if stored is not None:
                _check_document(stored[0])
        except (OSError, ValueError) as error:
            self._warn_of_restart(f"cannot be read: {error}")
            return None
        return stored

    def _warn_of_restart(self, reason: str) -> None:
        warnings.warn(
            f"The checkpoint '{self._file.path}' {reason}. Training starts from the "
            "first epoch and replaces the checkpoint.",
            stacklevel=2,
        )

    def resume(
        self,
        initial: "InitialNetwork",
        start: "TrainingState",
        early_stopping: EarlyStopping | None,
    ) -> "TrainingState":
        """Return the state of the checkpoint, or `start` if no checkpoint exists.

        Parameters
        ----------
        initial : InitialNetwork
            The network of the fit.
        start : TrainingState
            The initial state of the fit.
        early_stopping : EarlyStopping or None
            Its state is restored from the checkpoint.

        Warns
        -----
        UserWarning
            If the checkpoint belongs to another network.
        """
        self._network = _network_hash(initial)
        if self._stored is None:
            return start
        document, arrays = self._stored
        self._stored = None  # free the arrays after this call
        if document["network"] != self._network:
            self._warn_of_restart(
                "belongs to another network than the one that architecture builds now"
            )
            return start
        try:
            state = best = _decoded(document["last"], arrays, start)
            if document["best"] is not None:
                best = _decoded(document["best"], arrays, start)
            if early_stopping is not None:
                early_stopping.remember(best, document["early_stopping"])
        # A file with a valid checksum may still have been written by other software.
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
            self._warn_of_restart("does not contain the state of this fit")
            return start
        self.is_finished = document["is_finished"]
        if self._verbose:
            print(f"Resumed after epoch {state.n_iter} from '{self._file.path}'.")
        return state

    def save(
        self, early_stopping: EarlyStopping | None, state: "TrainingState"
    ) -> None:
        """Save the state after an epoch, every `every` epochs."""
        if (state.n_iter - self._first_epoch) % self._every == 0:
            self._write(state, early_stopping, is_finished=False)

    def finish(
        self, early_stopping: EarlyStopping | None, state: "TrainingState"
    ) -> None:
        """Replace the saved state by the result of the fit."""
        self._write(state, early_stopping, is_finished=True)
        self._file.remove_leftovers()

    def _write(
        self,
        state: "TrainingState",
        early_stopping: EarlyStopping | None,
        *,
        is_finished: bool,
    ) -> None:
        arrays: Arrays = {}
        document: Document = {
            "format": _FORMAT,
            "seed": self.seed,
            "network": self._network,
            "is_finished": is_finished,
            "early_stopping": None,
            "best": None,
        }
        if early_stopping is not None:
            best = early_stopping.best
            document["early_stopping"] = early_stopping.memory
            if best.n_iter < state.n_iter:
                document["best"] = self._encoded("best", best, arrays, is_result=True)
        document["last"] = self._encoded("last", state, arrays, is_result=is_finished)
        try:
            self._file.write(document, arrays)
        except OSError as error:
            if not self._has_warned:
                warnings.warn(
                    f"The checkpoint '{self._file.path}' cannot be written: {error}. "
                    "Training continues. Earlier checkpoints remain valid.",
                    RuntimeWarning,
                    stacklevel=2,
                )
            self._has_warned = True

    def _encoded(
        self, name: str, state: "TrainingState", arrays: Arrays, *, is_result: bool
    ) -> Document:
        """Describe a state, and add its arrays. A result needs no optimizer state."""
        parts = {"weights": state.weights, "optimizer_state": state.optimizer_state}
        if is_result and not self._keeps_optimizer:
            parts["optimizer_state"] = None
        document: Document = {
            "n_iter": state.n_iter,
            "value_range": state.value_range,
            "history": {
                # JSON does not support NaN.
                key: [None if value != value else value for value in values]
                for key, values in state.history.items()
            },
        }
        for part, values in parts.items():
            document[part] = None if values is None else list(values)
            for position, array in enumerate((values or {}).values()):
                arrays[f"{name}_{part}_{position}"] = array
        document["name"] = name
        return document


def _decoded(
    document: Document, arrays: Arrays, start: "TrainingState"
) -> "TrainingState":
    """Return a saved state of the fit that begins with `start`.

    Raises
    ------
    AttributeError, KeyError, OverflowError, TypeError, ValueError
        If the document or the arrays are invalid.
    """
    value_range, n_iter = document["value_range"], document["n_iter"]
    if value_range is not None:
        low, high = map(float, value_range)
        value_range = low, high
    if type(n_iter) is not int or n_iter <= start.n_iter:
        raise ValueError(f"The number of epochs is {n_iter!r}.")
    weights = _decoded_part(document, "weights", arrays)
    if _kinds(weights) != _kinds(start.weights):
        raise ValueError("The weights belong to another network.")
    return replace(
        start,
        weights=weights,
        optimizer_state=_decoded_part(document, "optimizer_state", arrays),
        n_iter=n_iter,
        value_range=value_range,
        history={
            key: [nan if value is None else float(value) for value in values]
            for key, values in document["history"].items()
        },
    )


def _kinds(weights: Any) -> dict[str, Any]:
    return {name: (array.shape, array.dtype) for name, array in weights.items()}


def _check_document(document: Any) -> None:
    """Raise a ValueError if this is not the document of a checkpoint."""
    expected = {"seed": int, "network": str, "is_finished": bool, "last": dict}
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        found = document.get("format") if isinstance(document, dict) else None
        raise ValueError(f"its format is {repr(found)[:40]}")
    is_complete = {"best", "early_stopping"} <= set(document) and all(
        type(document.get(name)) is kind for name, kind in expected.items()
    )
    if not is_complete or not 0 <= document["seed"] < 2**32:
        raise ValueError("it does not contain the state of a fit")


def _decoded_part(document: Document, part: str, arrays: Arrays) -> Any:
    if document[part] is None:
        return None
    prefix = f"{document['name']}_{part}"
    return {
        name: arrays[f"{prefix}_{position}"]
        for position, name in enumerate(document[part])
    }


def _network_hash(initial: "InitialNetwork") -> str:
    """Return a hash of a network and its initial weights."""
    spec = initial.spec
    digest = hashlib.sha256(
        repr((spec.ends, spec.precision, spec.config, spec.graph_hash)).encode()
    )
    for name, weight in initial.weights.items():
        digest.update(f"{name} {weight.dtype.str} {weight.shape}".encode())
        digest.update(weight.tobytes())
    return digest.hexdigest()
