"""The check of the Keras backend."""

import os


def require_tensorflow() -> None:
    """Raise a clear error if Keras uses another backend than TensorFlow.

    Keras reads its backend from ``KERAS_BACKEND`` or its configuration file at the
    first import. If that backend is not installed, Keras raises an error about a
    missing package. Therefore the variable is checked before the import.
    """
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend == "tensorflow":
        try:
            import keras
        except ImportError as error:
            raise ImportError(
                "Keras could not be imported with its configured backend. skhisto "
                "needs the backend 'tensorflow'. Set the environment variable "
                "KERAS_BACKEND=tensorflow and restart Python."
            ) from error
        backend = keras.config.backend()
    if backend != "tensorflow":
        raise RuntimeError(
            "skhisto needs the Keras backend 'tensorflow', but the backend is "
            f"{backend!r}. Set the environment variable KERAS_BACKEND=tensorflow (or "
            "'backend' in the configuration file of Keras) and restart Python."
        )
