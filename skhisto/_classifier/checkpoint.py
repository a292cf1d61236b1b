"""Where a classifier saves its training, and how often."""

import os
from numbers import Integral
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval

from skhisto._value_object import ValueObject


class Checkpoint(ValueObject):
    """Save the training of a classifier, so that it continues after a crash.

    With ``PatchCNNClassifier(checkpoint=Checkpoint(folder))``, `fit` writes the state
    of training after every `every` epochs. If the process ends before `fit` does, the
    same fit in a new process continues after the last epoch that was written. On the
    CPU, with the same number of TensorFlow threads, its result is bitwise the same as
    without an interruption.

    Each fit has a subfolder of its own, so that the fits of a search or a
    cross-validation can share one `folder`. See the notes on which fits are the same.

    Parameters
    ----------
    folder : str or path-like
        Where the subfolders are created. It is created if it does not exist.
    every : int, default=1
        Number of epochs between two checkpoints.

    See Also
    --------
    PatchCNNClassifier : The classifier with the parameter `checkpoint`.

    Notes
    -----
    *The same fit.* Two fits are the same if these are equal:

    - the parameters of the classifier, except `checkpoint`, `tta` and `verbose`;
    - the patches, their labels, weights and groups, and the validation data. Image
      files and HDF5 files are compared by name, size and modification time, other
      patches by their pixels;
    - the number that was drawn from `random_state`. With ``random_state=None``, it is
      not compared. Instead, the fit continues with the number of the checkpoint;
    - with `warm_start`, the weights and the optimizer state from which `fit` starts;
    - the versions of skhisto, Keras and TensorFlow.

    Functions in parameters are compared by their code, their closures and the global
    variables that they read. Code of installed packages is compared by name only.

    *Finished fits.* At the end of `fit`, the result replaces the state of training. The
    same fit then returns this result without training, unless ``random_state=None``.
    Therefore a search that is run again trains only what is missing. Delete the
    subfolder, or the whole folder, to train again or to free disk space.

    *Files.* ``<folder>/<hash>/checkpoint.npz`` is read by
    ``numpy.load(file, allow_pickle=False)``. Its entry "checkpoint.json" is a JSON
    document in UTF-8 with the seed, the history, the state of early stopping and the
    names of the arrays. A new file replaces the old one at once, so that a crash leaves
    either of them. A file that cannot be read is reported by a warning, and training
    starts from the first epoch. If a file cannot be written, such as on a full disk,
    a warning says so once, and training continues.

    *Two processes.* If two processes run the same fit at the same time, each is
    correct, and the last one to write replaces the checkpoint of the other.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skhisto import Checkpoint, PatchCNNClassifier, ReferenceCNN, make_patches
    >>> X, y = make_patches(40, size=24, random_state=0)
    >>> folder = tempfile.TemporaryDirectory()
    >>> clf = PatchCNNClassifier(
    ...     architecture=ReferenceCNN(filters=(8, 16), dense_units=16),
    ...     epochs=2,
    ...     checkpoint=Checkpoint(folder.name),
    ...     random_state=0,
    ... )
    >>> clf = clf.fit(X, y)
    >>> [file.name for file in Path(folder.name).glob("*/*")]
    ['checkpoint.npz']
    >>> folder.cleanup()
    """

    __module__ = "skhisto"  # the name that pickles and skops files store

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "folder": [str, os.PathLike],
        "every": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, folder: str | os.PathLike[str], *, every: int = 1) -> None:
        self.folder = folder
        self.every = every
