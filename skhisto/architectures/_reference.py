"""The reference network of convolutional blocks and a hidden dense layer."""

from collections.abc import Sequence
from functools import partial
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from skhisto.architectures._base import Architecture, check_filters

if TYPE_CHECKING:
    import keras


class ReferenceCNN(Architecture):
    """The default network: blocks of two convolutions and a hidden dense layer.

    Small convolutions are stacked in blocks, as in VGG [1]_. Each convolution is
    followed by batch normalisation [2]_ and ReLU. Each block ends with 2x2 max pooling
    and dropout [3]_. A hidden dense layer with batch normalisation, ReLU and dropout
    precedes the logits. With the default parameters and RGB patches of 96x96 pixels,
    the network has 2,386,817 parameters, of which 2,385,409 are trainable.

    The number of parameters of the hidden dense layer increases with the area of the
    patches.

    Parameters
    ----------
    filters : sequence of int, default=(32, 64, 128)
        Number of filters of the two convolutions in each block. The length of the
        sequence is the number of blocks.
    kernel_size : int, default=3
        Height and width of the convolutions, in pixels.
    dense_units : int, default=256
        Number of units of the hidden dense layer.
    conv_dropout : float, default=0.3
        Fraction of values dropped after each block, in [0, 1).
    dense_dropout : float, default=0.5
        Fraction of values dropped after the hidden dense layer, in [0, 1).
    padding : {"auto", "valid", "same"}, default="auto"
        Padding of convolutions and pooling. "auto" uses "valid" if the patches are
        large enough (36 pixels for three blocks of 3x3 convolutions), and "same"
        otherwise.
    batch_norm_momentum : float, default=0.9
        Fraction of the previous running statistics that batch normalisation keeps at
        each step, in [0, 1). It affects only `partial_fit`, because `fit` measures
        these statistics after training.

    See Also
    --------
    CompactCNN : A smaller network for patches of any size.
    PatchCNNClassifier : Trains an architecture.

    References
    ----------
    .. [1] K. Simonyan, A. Zisserman. "Very Deep Convolutional Networks for Large-Scale
       Image Recognition". ICLR 2015.
    .. [2] S. Ioffe, C. Szegedy. "Batch Normalization: Accelerating Deep Network
       Training by Reducing Internal Covariate Shift". ICML 2015.
    .. [3] N. Srivastava et al. "Dropout: A Simple Way to Prevent Neural Networks from
       Overfitting". JMLR 15, 2014.

    Examples
    --------
    >>> from skhisto import PatchCNNClassifier, ReferenceCNN, make_patches
    >>> X, y = make_patches(40, size=24, random_state=0)
    >>> small = ReferenceCNN(filters=(8, 16), dense_units=16)
    >>> clf = PatchCNNClassifier(architecture=small, epochs=2, random_state=0)
    >>> clf.fit(X, y).predict_proba(X).shape
    (40, 2)
    """

    __module__ = "skhisto"  # the name that pickles and skops files store

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "filters": ["array-like"],
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "dense_units": [Interval(Integral, 1, None, closed="left")],
        "conv_dropout": [Interval(Real, 0, 1, closed="left")],
        "dense_dropout": [Interval(Real, 0, 1, closed="left")],
        "padding": [StrOptions({"auto", "valid", "same"})],
        "batch_norm_momentum": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        *,
        filters: Sequence[int] = (32, 64, 128),
        kernel_size: int = 3,
        dense_units: int = 256,
        conv_dropout: float = 0.3,
        dense_dropout: float = 0.5,
        padding: str = "auto",
        batch_norm_momentum: float = 0.9,
    ) -> None:
        self.filters = filters
        self.kernel_size = kernel_size
        self.dense_units = dense_units
        self.conv_dropout = conv_dropout
        self.dense_dropout = dense_dropout
        self.padding = padding
        self.batch_norm_momentum = batch_norm_momentum

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
        network : keras.Sequential
            The network, which maps pixels in [0, 1] to logits.

        Raises
        ------
        ValueError
            If ``padding="valid"`` and the patches are too small for the blocks.
        """
        import keras
        from keras import layers

        # Keras does not accept NumPy numbers, which occur in searches.
        filters = check_filters(self.filters)
        kernel_size = int(self.kernel_size)
        padding = self._padding_for(patch_shape, len(filters), kernel_size)
        normalise = partial(
            layers.BatchNormalization, momentum=float(self.batch_norm_momentum)
        )
        stack: list[layers.Layer] = []
        for block, n_filters in enumerate(filters, start=1):
            pool = layers.MaxPooling2D(2, padding=padding, name=f"block{block}_pool")
            for i in (1, 2):
                name = f"block{block}_conv{i}"
                # Batch normalisation cancels a bias. Only the first convolution has
                # one.
                stack += [
                    layers.Conv2D(
                        n_filters,
                        kernel_size,
                        padding=padding,
                        use_bias=not stack,
                        name=name,
                    ),
                    normalise(name=f"{name}_norm"),
                    # ReLU after max pooling gives the same values and is cheaper.
                    *([pool] if i == 2 else []),
                    layers.ReLU(name=f"{name}_relu"),
                ]
            stack.append(
                layers.Dropout(float(self.conv_dropout), name=f"block{block}_dropout")
            )
        stack += [
            layers.Flatten(name="flatten"),
            layers.Dense(int(self.dense_units), use_bias=False, name="dense"),
            normalise(name="dense_norm"),
            layers.ReLU(name="dense_relu"),
            layers.Dropout(float(self.dense_dropout), name="dense_dropout"),
            # float32, because logits in 16 bits would often be equal.
            layers.Dense(n_outputs, dtype="float32", name="logits"),
        ]
        return keras.Sequential(stack, name="reference_cnn")

    def _padding_for(
        self, patch_shape: tuple[int, int, int], n_blocks: int, kernel_size: int
    ) -> str:
        possible = choose_padding(patch_shape, n_blocks, kernel_size)
        if self.padding == "auto":
            return possible
        if self.padding == "valid" and possible == "same":
            raise ValueError(
                f"Patches of {patch_shape[0]}x{patch_shape[1]} pixels are too small "
                f"for {n_blocks} blocks with padding='valid'. Use padding='auto' or "
                "'same', or fewer blocks."
            )
        return self.padding


def choose_padding(
    patch_shape: tuple[int, int, int], n_blocks: int, kernel_size: int
) -> str:
    """Return "valid" if at least one pixel remains after all blocks, else "same"."""
    side = min(patch_shape[:2])
    for _ in range(n_blocks):
        side = (side - 2 * (kernel_size - 1)) // 2
    return "valid" if side >= 1 else "same"
