"""The devices of TensorFlow."""

import tensorflow as tf


def names_of_gpus() -> list[str]:
    """Return the names of the GPUs that TensorFlow uses."""
    details = tf.config.experimental.get_device_details
    return [
        details(gpu).get("device_name", gpu.name)
        for gpu in tf.config.get_visible_devices("GPU")
    ]
