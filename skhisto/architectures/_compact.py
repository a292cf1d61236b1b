"""A compact network of convolutions and global average pooling."""

from collections.abc import Sequence
from functools import partial
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

from sklearn.utils._param_validation import Interval

from skhisto.architectures._base import Architecture, check_filters

if TYPE_CHECKING:
    import keras


class CompactCNN(Architecture):
    """A small network with global average pooling, for patches of any size.

    The network consists of a convolution with stride 2, further convolutions with max
    pooling, and global average pooling [1]_. `ReferenceCNN` has a hidden dense layer
    instead of global average pooling. As a result, the number of parameters of
    `CompactCNN` does not depend on the size of the patches. With the default parameters
    and RGB patches, it has about 400,000 parameters. This is a sixth of the reference
    network, and the number of multiplications is a fifth.

    Parameters
    ----------
    stem_filters : int, default=24
        Number of filters of the first convolution, which has 5x5 pixels and stride 2.
    filters : sequence of int, default=(32, 64, 128, 256)
        Numbers of filters of the following 3x3 convolutions. Each convolution except
        the last is followed by 2x2 max pooling.
    dropout : float, default=0.3
        Fraction of the pooled values dropped before the logits, in [0, 1).
    batch_norm_momentum : float, default=0.9
        Fraction of the previous running statistics that batch normalisation keeps at
        each step, in [0, 1). It affects only `partial_fit`, because `fit` measures
        these statistics after training.

    See Also
    --------
    ReferenceCNN : The default architecture.
    PatchCNNClassifier : Trains an architecture.

    References
    ----------
    .. [1] M. Lin, Q. Chen, S. Yan. "Network In Network". ICLR 2014.

    Examples
    --------
    >>> from skhisto import CompactCNN, PatchCNNClassifier, make_patches
    >>> X, y = make_patches(40, size=24, random_state=0)
    >>> narrow = CompactCNN(filters=(8, 16))
    >>> clf = PatchCNNClassifier(architecture=narrow, epochs=2, random_state=0)
    >>> clf.fit(X, y).predict_proba(X).shape
    (40, 2)
    """

    __module__ = "skhisto"  # the name that pickles and skops files store

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "stem_filters": [Interval(Integral, 1, None, closed="left")],
        "filters": ["array-like"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "batch_norm_momentum": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        *,
        stem_filters: int = 24,
        filters: Sequence[int] = (32, 64, 128, 256),
        dropout: float = 0.3,
        batch_norm_momentum: float = 0.9,
    ) -> None:
        self.stem_filters = stem_filters
        self.filters = filters
        self.dropout = dropout
        self.batch_norm_momentum = batch_norm_momentum

    def build(self, patch_shape: tuple[int, int, int], n_outputs: int) -> "keras.Model":
        """Build the network.

        Parameters
        ----------
        patch_shape : tuple of int (height, width, channels)
            Shape of the patches, in pixels. The network accepts any size.
        n_outputs : int
            Number of logits: 1 for two classes, otherwise the number of classes.

        Returns
        -------
        network : keras.Sequential
            The network, which maps pixels in [0, 1] to logits.
        """
        import keras
        from keras import layers

        filters = check_filters(self.filters)
        convolution = partial(layers.Conv2D, padding="same", use_bias=False)
        normalise = partial(
            layers.BatchNormalization, momentum=float(self.batch_norm_momentum)
        )
        stack: list[layers.Layer] = [
            convolution(int(self.stem_filters), 5, strides=2, name="stem_conv"),
            normalise(name="stem_norm"),
            layers.ReLU(name="stem_relu"),
        ]
        for block, n_filters in enumerate(filters, start=1):
            name = f"block{block}"
            stack += [
                convolution(n_filters, 3, name=f"{name}_conv"),
                normalise(name=f"{name}_norm"),
            ]
            if block < len(filters):
                pool = layers.MaxPooling2D(2, padding="same", name=f"{name}_pool")
                stack.append(pool)
            stack.append(layers.ReLU(name=f"{name}_relu"))
        stack += [
            layers.GlobalAveragePooling2D(name="mean"),
            layers.Dropout(float(self.dropout), name="dropout"),
            # float32, because logits in 16 bits would often be equal.
            layers.Dense(n_outputs, dtype="float32", name="logits"),
        ]
        return keras.Sequential(stack, name="compact_cnn")
