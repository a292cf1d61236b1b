"""Build networks that depend only on the seed."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras.src.backend.common import global_state
from keras.src.random import seed_generator

_BUILD_LOCK = threading.RLock()

# Attributes that Keras stores for each thread. Keras replaces None when necessary.
_FRESH_STATE = ("global_seed_generator", "object_name_uids")


class _SeedableRandom(threading.local):
    """Replacement of the module `random` with a separate generator for each thread.

    Keras draws the seeds of layers and initializers without a seed from `random`. Other
    threads may use this module at the same time.
    """

    generator: random.Random | None = None

    def randint(self, low: int, high: int) -> int:
        """Draw from the generator of this thread, or from Python's if it has none."""
        return (self.generator or random).randint(low, high)


_RANDOM = _SeedableRandom()


@contextmanager
def isolated_build(seed: int, dtype_policy: str) -> Iterator[None]:
    """Seed the networks that are built in this context, and reset automatic names.

    Within the context, the following applies to this thread:

    - Layers and initializers without a seed receive seeds that depend only on `seed`.
    - ``keras.random`` without a seed draws from a generator that depends on `seed`.
    - Automatic names of layers do not depend on networks that were built before.
    - Layers without a dtype use `dtype_policy`.

    In all threads, layers without a data format expect the channels last.

    The context does not affect `numpy.random`, `tf.random`, and initializer objects
    that were created outside the context.
    """
    names = (*_FRESH_STATE, "dtype_policy")
    with _BUILD_LOCK:
        before = {name: global_state.get_global_attribute(name) for name in names}
        data_format = keras.config.image_data_format()
        python_random: Any = seed_generator.python_random
        outer_generator = _RANDOM.generator
        try:
            seed_generator.python_random = _RANDOM
            _RANDOM.generator = random.Random(seed)
            for name in _FRESH_STATE:
                global_state.set_global_attribute(name, None)
            keras.config.set_dtype_policy(dtype_policy)
            keras.config.set_image_data_format("channels_last")
            yield
        finally:
            seed_generator.python_random = python_random
            _RANDOM.generator = outer_generator
            for name, value in before.items():
                global_state.set_global_attribute(name, value)
            keras.config.set_image_data_format(data_format)
