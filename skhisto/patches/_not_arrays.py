"""Errors for objects that are often passed instead of arrays of patches."""

from collections.abc import Iterator, Mapping, Set
from itertools import islice
from typing import Any, NamedTuple


class _Recognised(NamedTuple):
    package: str
    class_name: str
    what: str
    advice: str


# Classes are recognised by name: importing their packages takes seconds.
_RECOGNISED = (
    _Recognised(
        "tensorflow",
        "DatasetV2",
        "tf.data.Dataset",
        "Collect its batches: X, y = map(np.concatenate, "
        "zip(*dataset.as_numpy_iterator())).",
    ),
    _Recognised(
        "torch",
        "DataLoader",
        "PyTorch DataLoader",
        "Collect its batches: X, y = map(np.concatenate, zip(*loader)). Then move the "
        "channels to the end: X = np.moveaxis(X, 1, -1).",
    ),
    _Recognised(
        "torch",
        "Dataset",
        "PyTorch Dataset",
        "Collect its items: X, y = map(np.stack, zip(*dataset)). Then move the "
        "channels to the end: X = np.moveaxis(X, 1, -1).",
    ),
    _Recognised(
        "keras",
        "PyDataset",
        "Keras PyDataset",
        "Collect its batches: X, y = map(np.concatenate, "
        "zip(*(dataset[i] for i in range(len(dataset))))).",
    ),
)


def refuse_what_is_not_an_array(X: Any) -> None:
    """Raise a TypeError for data sets, loaders, sources, iterators and mappings.

    The message explains how to get an array of patches from X.
    """
    for package, class_name, what, advice in _RECOGNISED:
        if _is_instance(X, package, class_name):
            raise _error(what, advice)
    if _is_source(X):
        raise _error(type(X).__name__, "Wrap it: X = PatchArray(source).")
    if isinstance(X, Mapping):
        keys = list(islice(X, 10))
        example = "data" if "data" in keys else next(iter(keys), "patches")
        raise _error(
            type(X).__name__,
            f"Pass the entry with the patches, such as X[{example!r}]. The keys are "
            f"{keys}{' and more' if len(X) > len(keys) else ''}.",
        )
    if X is None or isinstance(X, Set):
        raise _error(type(X).__name__, "Pass an ordered sequence of patches.")
    if isinstance(X, Iterator):
        raise _error(type(X).__name__, "Collect its patches: X = np.stack(list(X)).")


def _is_source(X: Any) -> bool:
    """Return whether X is a PatchSource that NumPy cannot convert."""
    has_interface = all(hasattr(X, name) for name in ("shape", "dtype", "read"))
    return has_interface and not hasattr(X, "__array__")


def _is_instance(X: Any, package: str, class_name: str) -> bool:
    """Return whether X is an instance of a class, given by package and name."""
    return any(
        base.__name__ == class_name and base.__module__.split(".")[0] == package
        for base in type(X).__mro__
    )


def _error(what: str, advice: str) -> TypeError:
    return TypeError(
        f"Patches must be an array or a PatchArray, got a {what}. {advice} "
        "PatchLoader(lazy=True) returns a PatchArray of image files that is decoded "
        "batch by batch."
    )
