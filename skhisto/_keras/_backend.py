"""The one Keras backend that the networks run on."""

import os


def require_tensorflow() -> None:
    """Raise a clear error where Keras is set to another backend than TensorFlow.

    Keras reads its backend from ``KERAS_BACKEND`` or from its configuration file at
    the first import, and fails with an error about a missing package where that
    backend is not installed: so the variable is looked at before the import.
    """
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend == "tensorflow":
        try:
            import keras
        except ImportError as error:
            raise ImportError(
                "Keras could not be imported with the backend that it is set to; "
                "skhisto needs the backend 'tensorflow'. Set the environment variable "
                "KERAS_BACKEND=tensorflow and start Python again."
            ) from error
        backend = keras.config.backend()
    if backend != "tensorflow":
        raise RuntimeError(
            f"skhisto needs Keras' backend 'tensorflow', but Keras is set to "
            f"{backend!r}. Set the environment variable KERAS_BACKEND=tensorflow (or "
            "'backend' in Keras' configuration file) and start Python again."
        )
