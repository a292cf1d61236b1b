"""Checks of TensorFlow in this process, and versions of libraries."""

import keras
import tensorflow as tf

from skhisto._fork import check_not_forked


def check_runtime() -> None:
    """Raise a RuntimeError if TensorFlow would hang or cannot run eagerly."""
    check_not_forked()
    if not tf.executing_eagerly():
        raise RuntimeError(
            "skhisto needs TensorFlow's eager execution, which is disabled here. "
            "Remove tf.compat.v1.disable_eager_execution() or disable_v2_behavior(), "
            "and do not call fit or predict inside a tf.function or a tf.Graph."
        )


def versions() -> dict[str, str]:
    """Return the versions of the libraries that train a network, by name."""
    return {"keras": keras.__version__, "tensorflow": tf.__version__}
