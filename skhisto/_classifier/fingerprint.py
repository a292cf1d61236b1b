"""A hash of everything that determines the result of a fit."""

import functools
import hashlib
import json
import logging
import os
import pickle
import sys
import sysconfig
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from skhisto._data.samples import Samples
from skhisto._data.training_data import TrainingData
from skhisto.patches._content import content_of

# Parameters that do not affect training. The drawn seed replaces random_state.
_WITHOUT_EFFECT = {"checkpoint", "engine", "random_state", "tta", "verbose"}
_PREVIOUS_FIT = ("weights_", "optimizer_state_", "history_", "n_iter_", "value_range_")


def fingerprint(
    classifier: BaseEstimator,
    data: TrainingData,
    *,
    seed: int | None,
    is_continued: bool,
) -> str:
    """Return a hash of the parameters and the data of a fit.

    Parameters
    ----------
    classifier : PatchCNNClassifier
        Provides the parameters and, if `is_continued` is True, the fitted attributes.
    data : TrainingData
        The data before the validation split.
    seed : int or None
        None if the seed does not identify the fit.
    is_continued : bool
        Whether the fit continues a previous fit.
    """
    import skhisto
    from skhisto._keras.runtime import versions

    params = classifier.get_params(deep=False)
    kept = {name: params[name] for name in params if name not in _WITHOUT_EFFECT}
    parts = {
        "versions": {"skhisto": skhisto.__version__, **versions()},
        "params": describe(kept),
        "seed": seed,
    }
    if is_continued:
        fitted = {name: getattr(classifier, name, None) for name in _PREVIOUS_FIT}
        parts["fitted"] = describe(fitted)
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    for samples in (data.all_samples, data.validation):
        if samples is not None:
            _update(digest, samples)
    return digest.hexdigest()[:32]


def _update(digest: Any, samples: Samples) -> None:
    labels = [samples.y.tolist(), samples.classes.tolist()]
    groups = None if samples.groups is None else samples.groups.tolist()
    digest.update(json.dumps(describe([labels, groups])).encode())
    digest.update(samples.weight.tobytes())
    for part in content_of(samples.patches):
        digest.update(part)


def describe(value: Any) -> Any:
    """Describe a value by its content, as JSON that is the same in all processes.

    - Functions and classes of installed packages are described by their name.
    - Other functions are described by their code, closures, defaults and the global
      variables that they read. Other classes are described by their methods.
    - Other objects are described by their type and their attributes.
    """
    return _Description().of(value)


class _Description:
    """Describes objects, and detects objects that contain themselves."""

    def __init__(self) -> None:
        # The object is stored, so that its id is not reused for another object.
        self._known: dict[int, tuple[Any, str]] = {}

    def of(self, value: Any) -> Any:
        """Return plain values unchanged, and a hash of all other values."""
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float | complex | bytes):
            return repr(value)
        if id(value) not in self._known:
            # Describes the object if it contains itself.
            self._known[id(value)] = value, "recursive"
            text = json.dumps(self._content(value))
            self._known[id(value)] = value, hashlib.sha256(text.encode()).hexdigest()
        return self._known[id(value)][1]

    def _content(self, value: Any) -> Any:
        for kinds, describe_kind in self._KINDS:
            if isinstance(value, kinds):
                return [type(value).__name__, describe_kind(self, value)]
        return self._object(value)

    def _list(self, values: Iterable[Any]) -> Any:
        return [self.of(value) for value in values]

    def _mapping(self, mapping: Mapping[Any, Any]) -> Any:
        return _ordered([self.of(key), self.of(mapping[key])] for key in mapping)

    def _set(self, values: Iterable[Any]) -> Any:
        return _ordered(self.of(value) for value in values)

    def _array(self, array: np.ndarray) -> Any:
        if array.dtype.hasobject:
            return self.of(array.tolist())
        contents = hashlib.sha256(array.tobytes()).hexdigest()
        return [array.dtype.str, array.shape, contents]

    def _function(self, function: types.FunctionType) -> Any:
        if _is_installed(function):
            return _name(function)
        code, variables = function.__code__, function.__globals__
        closure = [_content_of_cell(cell) for cell in function.__closure__ or ()]
        names = sorted(name for name in _names(code) if name in variables)
        return [
            _name(function),
            self._code(code),
            self.of([function.__defaults__, function.__kwdefaults__, closure]),
            [[name, self.of(variables[name])] for name in names],
        ]

    def _code(self, code: types.CodeType) -> Any:
        constants = [
            self._code(constant)
            if isinstance(constant, types.CodeType)
            else self.of(constant)
            for constant in code.co_consts
        ]
        names = [code.co_names, code.co_varnames, code.co_freevars]
        return [code.co_code.hex(), constants, names]

    def _class(self, described: type) -> Any:
        if _is_installed(described):
            return _name(described)
        members = vars(described).items()
        functions = {k: v for k, v in members if isinstance(v, types.FunctionType)}
        return [_name(described), self.of(described.__bases__), self.of(functions)]

    def _method(self, method: types.MethodType) -> Any:
        return self.of([method.__func__, method.__self__])

    def _partial(self, partial: functools.partial[Any]) -> Any:
        return self.of([partial.func, partial.args, partial.keywords])

    def _object(self, value: Any) -> Any:
        kind = self.of(type(value))
        if hasattr(value, "__dict__"):
            return [kind, self.of(vars(value))]
        try:
            return [kind, hashlib.sha256(pickle.dumps(value)).hexdigest()]
        except Exception:  # pickling may run any code
            return [kind]

    _KINDS: tuple[tuple[Any, Callable[..., Any]], ...] = (
        (Mapping, _mapping),
        ((list, tuple), _list),
        ((set, frozenset), _set),
        (np.ndarray, _array),
        (os.PathLike, lambda self, path: os.fspath(path)),
        (type, _class),
        (types.FunctionType, _function),
        (types.MethodType, _method),
        (functools.partial, _partial),
        (logging.Logger, lambda self, logger: logger.name),
        ((types.ModuleType, types.BuiltinFunctionType), lambda self, x: _name(x)),
    )


def _ordered(descriptions: Iterable[Any]) -> list[Any]:
    return sorted(descriptions, key=json.dumps)


def _content_of_cell(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a variable without a value
        return None


def _names(code: types.CodeType) -> set[str]:
    """Return the names that code reads, including nested functions."""
    inner = [c for c in code.co_consts if isinstance(c, types.CodeType)]
    return set(code.co_names).union(*map(_names, inner))


def _name(value: Any) -> str:
    name = getattr(value, "__qualname__", value.__name__)
    return f"{getattr(value, '__module__', None)}.{name}"


@functools.cache
def _folders_of_packages() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple(paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))


def _is_installed(value: Any) -> bool:
    """Return whether a function or class belongs to an installed package."""
    name = getattr(value, "__module__", None) or "builtins"
    if name.partition(".")[0] == "skhisto":
        return True
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None:
        return name != "__main__"
    return file.startswith(_folders_of_packages())
