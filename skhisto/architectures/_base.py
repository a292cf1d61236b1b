"""The base class of architectures."""

from abc import ABC, abstractmethod
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

from skhisto._value_object import ValueObject

if TYPE_CHECKING:
    import keras


class Architecture(ValueObject, ABC):
    """Base class of architectures: objects that build an untrained network.

    An architecture is a function of the shape of the patches and the number of outputs,
    with parameters that scikit-learn can read, set, clone and search. To add one:

    1. Write a subclass in a new file. Its constructor takes keyword-only parameters and
       only assigns them. `_parameter_constraints` describes their valid values in the
       form of scikit-learn's parameter validation.
    2. Implement `build`. Import Keras inside it: architectures can be created, cloned
       and compared without Keras.
    3. To give it a name, add it to the table in ``skhisto/architectures/_names.py``.

    The network must depend only on the parameters of the architecture and on the
    arguments of `build`. Layers without a seed are seeded by the classifier.

    See Also
    --------
    ReferenceCNN : The default architecture.
    CompactCNN : A smaller architecture for patches of any size.

    Examples
    --------
    >>> from skhisto import PatchCNNClassifier
    >>> from skhisto.architectures import Architecture
    >>> class MeanColour(Architecture):
    ...     def __init__(self, *, units=4):
    ...         self.units = units
    ...
    ...     def build(self, patch_shape, n_outputs):
    ...         import keras
    ...
    ...         return keras.Sequential(
    ...             [
    ...                 keras.layers.GlobalAveragePooling2D(),
    ...                 keras.layers.Dense(self.units, activation="relu"),
    ...                 keras.layers.Dense(n_outputs),
    ...             ]
    ...         )
    >>> clf = PatchCNNClassifier(architecture=MeanColour())
    >>> clf.set_params(architecture__units=8).architecture
    MeanColour(units=8)
    """

    __module__ = "skhisto.architectures"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    @property
    def weights_licence(self) -> str | None:
        """Licence of the initial weights, for exports and model cards.

        None, the default, means that the initial weights are random.
        """
        return None

    @property
    def needs_pixels(self) -> bool:
        """Whether numbers outside [0, 1] are an error, in `fit` and in predictions.

        False by default. Architectures with pretrained weights return True.
        """
        return False

    def __call__(
        self, patch_shape: tuple[int, int, int], n_outputs: int
    ) -> "keras.Model":
        """Check the parameters and build the network.

        Parameters
        ----------
        patch_shape : tuple of int (height, width, channels)
            Shape of the patches, in pixels.
        n_outputs : int
            Number of logits: 1 for two classes, otherwise the number of classes.

        Returns
        -------
        network : keras.Model
            A new, uncompiled network, as `build` describes it.

        Raises
        ------
        ValueError
            If a parameter is invalid, or if the patches are too small for the network.
        """
        self._validate_params()
        return self.build(patch_shape, n_outputs)

    @abstractmethod
    def build(self, patch_shape: tuple[int, int, int], n_outputs: int) -> "keras.Model":
        """Build the network.

        Parameters
        ----------
        patch_shape : tuple of int (height, width, channels)
            Shape of the patches, in pixels.
        n_outputs : int
            Number of logits: 1 for two classes, otherwise the number of classes.

        Returns
        -------
        network : keras.Model
            A new, uncompiled network. Its input has the shape ``(n, *patch_shape)`` and
            consists of pixels in [0, 1], or of numbers that were not rescaled. Its
            output consists of logits of the shape ``(n, n_outputs)``.
        """


def check_filters(filters: Any) -> tuple[int, ...]:
    """Check the numbers of filters and return them as a tuple of int."""
    counts = tuple(int(n) for n in filters if isinstance(n, Integral) and int(n) >= 1)
    if not counts or len(counts) < len(filters):
        raise ValueError(
            f"filters must contain one or more positive integers; got {filters!r}."
        )
    return counts
