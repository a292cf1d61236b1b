"""The parameter `checkpoint` of a classifier."""

import os
from numbers import Integral
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval

from skhisto._value_object import ValueObject


class Checkpoint(ValueObject):
    """Save the training of a classifier, so that it continues after a crash.

    With ``PatchCNNClassifier(checkpoint=Checkpoint(folder))``, `fit` writes the state
    of training every `every` epochs. If the process ends before `fit` has finished, the
    same fit in a new process continues after the last epoch that was written. On the
    CPU, with the same number of TensorFlow threads, the result is bitwise identical to
    the result without an interruption.

    Each fit has its own subfolder, so that the fits of a search or a cross-validation
    can share one `folder`. The notes explain which fits are the same.

    Parameters
    ----------
    folder : str or path-like
        Folder of the subfolders. It is created if it does not exist.
    every : int, default=1
        Number of epochs between two checkpoints.

    See Also
    --------
    PatchCNNClassifier : The classifier with the parameter `checkpoint`.

    Notes
    -----
    *The same fit.* Two fits are the same if all of the following are equal:

    - The parameters of the classifier, except `checkpoint`, `engine`, `tta` and
      `verbose`. Functions are compared by their code, their closures and the global
      variables that they read. Code of installed packages is compared by name.
    - The patches with their labels, weights and groups, and the validation data. Image
      files and HDF5 files are compared by name, size and modification time. Other
      patches are compared by their pixels.
    - The number that is drawn from `random_state`. With ``random_state=None``, it is
      not compared, and the fit continues with the number in the checkpoint.
    - With `warm_start`, the initial weights and optimizer state.
    - The versions of skhisto, Keras and TensorFlow.

    *Finished fits.* At the end of `fit`, the result replaces the state of training. The
    same fit then returns this result without training, unless ``random_state=None``.
    Therefore a repeated search trains only the missing fits. Delete the subfolder, or
    the whole folder, to train again or to free disk space.

    *Files.* Read ``<folder>/<hash>/checkpoint.npz`` with
    ``numpy.load(file, allow_pickle=False)``. Its entry "checkpoint.json" is a JSON
    document in UTF-8 with the seed, the history, the state of early stopping and the
    names of the arrays. Files are replaced atomically, so that a crash does not damage
    them. If a file cannot be read, `fit` warns and starts from the first epoch. If a
    file cannot be written, such as on a full disk, `fit` warns once and continues.

    *Two processes.* Two processes may run the same fit at the same time. Both return
    correct results, and the last write replaces the checkpoint of the other process.

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
