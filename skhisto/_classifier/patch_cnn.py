"""The convolutional network as a scikit-learn classifier. No Keras in here."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import check_is_fitted

from skhisto._classifier.fitted_summary import FittedSummary
from skhisto._classifier.fitting import fitted_spec, train
from skhisto._data.checks import (
    Patches,
    PatchShape,
    check_patch_shape,
    check_patches,
    pixel_dtype_of,
    plain_strings,
)
from skhisto._data.samples import Samples, two_sided
from skhisto._data.validation_split import validation_split
from skhisto.patches._patch_array import PatchArray
from skhisto.patches._views import SYMMETRIES, check_square

if TYPE_CHECKING:
    import keras

    from skhisto.augmentation._augment import AugmentParameter

_MAX_SEED = np.iinfo(np.int32).max


class PatchCNNClassifier(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    """A convolutional neural network that classifies image patches.

    By default this is the reference network: three blocks of two 3x3 convolutions with
    32, 64 and 128 filters, each with batch normalisation and ReLU, followed by 2x2 max
    pooling and dropout; then a dense layer of 256 units and the logits. On RGB patches
    of 96x96 pixels it has 2,386,817 parameters. Any other Keras network can be given as
    `model`.

    Patches are images of shape (n, height, width, channels) with 1 to 4 channels, grey
    images of shape (n, height, width), a `PatchArray` that is decoded batch by batch,
    or flat rows of height * width * channels values. uint8 and uint16 are pixels, which
    are divided by the maximum of their dtype; all other numbers are taken as they are.

    A fitted classifier is plain data: `clone`, `pickle`, `joblib` and `skops.io` work
    without Keras' serialisation. TensorFlow is imported when a classifier is fitted or
    predicts for the first time.

    Parameters
    ----------
    model : callable, default=None
        ``model(patch_shape, n_outputs)`` returns an uncompiled `keras.Model` that gets
        pixels in [0, 1] (other numbers as they are) of shape ``(n, *patch_shape)`` and
        gives `n_outputs` logits: one for two classes, else one for each class. It must
        build a new network at each call, and the same one for the same arguments. A
        function, or a `functools.partial` of one, is compiled once for all fits; other
        callable objects are compiled anew after each `clone`. None builds the
        network that `architecture` names.
    architecture : {"reference", "compact"}, default="reference"
        A network by name. "compact" has a sixth of the parameters of the reference
        network, since it takes the mean over all places instead of a dense layer, and
        a fifth of its multiplications: one convolution of stride 2, four with 32 to
        256 filters.
    filters : sequence of int, default=(32, 64, 128)
        Filters in the two convolutions of each block of the reference network. This
        and the following five parameters are ignored by other networks.
    kernel_size : int, default=3
        Height and width of the convolutions, in pixels.
    dense_units : int, default=256
        Units of the hidden dense layer.
    conv_dropout : float, default=0.3
        Share of values dropped after each block, in [0, 1).
    dense_dropout : float, default=0.5
        Share of values dropped after the hidden dense layer, in [0, 1).
    padding : {"auto", "valid", "same"}, default="auto"
        Padding of convolutions and pooling. "auto" is "valid", as in the reference
        network, for patches that are large enough (36 pixels with three blocks), and
        "same" for smaller ones.
    batch_norm_momentum : float, default=0.9
        Share of the old value when batch normalisation updates its running statistics,
        in [0, 1). It matters for `partial_fit` only: `fit` measures them anew for
        predictions, early stopping and callbacks, on up to 1,024 training patches and
        without dropout [5]_. Ignored where `model` is given.
    patch_shape : tuple of (height, width, channels), default=None
        Shape of the patches, in pixels. Needed only for flat rows that are not square
        RGB or square grey patches: None takes a row of ``3 * k * k`` values for RGB,
        one of ``k * k`` values for grey, and others for a strip one pixel high.
    precision : {"float32", "bfloat16", "float16", "auto"}, default="float32"
        What the network computes in; weights, statistics of batch normalisation, loss
        and probabilities are float32 always. "auto" is "bfloat16" where that is native,
        on processors with AMX or AVX512-BF16 under Linux and on GPUs since Ampere, and
        "float32" elsewhere. Where it is not native, it is slower than float32.
    epochs : int, default=10
        Times that `fit` goes through the training patches.
    batch_size : int or "auto", default="auto"
        Patches in a training step. "auto" is 64, but 32 for fewer than 2,048 training
        patches, 16 for fewer than 1,024 and 8 for fewer than 512: an epoch of few steps
        teaches little.
    optimizer : str, default="adam"
        Name of a Keras optimizer.
    learning_rate : float, default=1e-3
        Step size of the optimizer; with a schedule, the largest one.
    learning_rate_schedule : {"constant", "cosine", "one_cycle"}, default="constant"
        How the learning rate changes from step to step. "cosine" falls to zero over
        the `epochs` of a fit, "one_cycle" rises over the first 30 % of the steps and
        falls then [4]_. `partial_fit`, which knows no end, keeps it constant.
    optimizer_params : dict, default=None
        Further parameters of the optimizer, such as ``{"momentum": 0.9}``.
    augment : "auto", str, callable, list of these or None, default="auto"
        Random changes to training patches that do not change their labels. Each batch
        is changed differently. A list is applied in order. Valid values are:

        - "d4" or `D4`: rotations and flips;
        - "stain" or `StainJitter`: changes of the stain concentrations;
        - "brightness" or `BrightnessJitter`: changes of the brightness;
        - a function ``augment(patches, rng)``, which receives the patches of a batch,
          of dtype `pixel_dtype_`, and a `numpy.random.Generator`, and returns new
          patches of the same shape and dtype;
        - "auto": "d4" if the patches are square, followed by "stain" if they are RGB
          patches of dtype uint8. For patches with 3 or 4 channels that are not, a
          warning says that their stains are not changed.
    tta : {"d4", "c4"}, default=None
        Test-time augmentation: probabilities are averaged over the eight views of the
        square ("d4"), or over its four rotations ("c4"), which takes eight or four
        times as long. It can be set after `fit` too. Validation during training goes
        without.
    class_weight : dict or "balanced", default=None
        Weights of the classes in the loss. "balanced" makes them inversely proportional
        to the classes' frequencies; in a dict, classes that are missing count 1.
    early_stopping : bool, default=False
        Whether to stop when the loss on validation patches no longer improves, and to
        keep the weights of the best epoch. The validation patches are `X_val` of `fit`,
        or a part of the training patches: stratified by class or, where `fit` gets
        `groups`, whole groups.
    validation_fraction : float, default=0.1
        Share of the training patches that early stopping sets aside, in (0, 1).
    n_iter_no_change : int, default=5
        Epochs without improvement before early stopping.
    tol : float, default=1e-4
        A validation loss that is lower by no more than this is no improvement.
    callbacks : dict or list, default=None
        Keras callbacks: a dict from names to parameters, such as
        ``{"ReduceLROnPlateau": {"monitor": "loss"}}``, or a list of names and
        instances. Instances are copied for each fit. Callbacks of scikit-learn, such
        as `sklearn.callback.ProgressBar`, are set with `set_callbacks`.
    warm_start : bool, default=False
        Whether `fit` goes on from the former weights, and the optimizer from its former
        state, instead of starting anew. The optimizer starts anew with another
        `optimizer`, and between float16, which scales the loss, and other precisions.
        With `early_stopping`, give an int as `random_state`, or `X_val`: otherwise each
        fit sets other patches aside, on which former fits were trained.
    verbose : int, default=0
        0 is silent, 1 shows a bar for each epoch, 2 prints a line for each epoch.
    random_state : int, RandomState instance or None, default=None
        Determines the initial weights, the order of the patches, augmentation, dropout
        and the validation split. With an int, results on the CPU are bitwise
        reproducible for the same number of TensorFlow's threads.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels of the classes.
    weights_ : dict of str to ndarray
        Weights of the network, in its order.
    patch_shape_ : tuple of (height, width, channels)
        Shape of the patches seen in `fit`, in pixels.
    pixel_dtype_ : {"uint8", "uint16", "float32"}
        How the numbers seen in `fit` are taken: as pixels of 8 or 16 bits, or as they
        are.
    precision_ : {"float32", "bfloat16", "float16"}
        What the network computed in during `fit`. With ``precision="auto"``
        predictions are made in what is native where they are made.
    history_ : dict of str to list of float
        For each epoch "loss" (mean cross-entropy, and penalties of the network's own
        regularisers) and "accuracy" on the training patches, while they were trained
        on, and with validation patches "val_loss" (cross-entropy alone) and
        "val_accuracy" at the end of the epoch; NaN for epochs without them. All are
        weighted by class and sample weights.
    n_iter_ : int
        Number of epochs that the network was trained for.
    best_epoch_ : int or None
        The epoch, from 1, whose weights early stopping kept; None without it.
    layers_ : list of dict
        For each layer of the network its "name", "type", "output_shape" of a patch and
        "n_parameters"; ``pandas.DataFrame(clf.layers_)`` makes a table of it. A shape
        is None where a layer has no single one.
    n_features_in_ : int
        Number of values of a patch: height * width * channels.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where X was a data frame with string names.
    optimizer_state_ : dict of str to ndarray
        State of the optimizer; only after `partial_fit`, or `fit` with `warm_start`.

    See Also
    --------
    PatchLoader : Load patches from image files.
    CenterCrop : Crop patches to their centre.

    Notes
    -----
    `fit` requests `groups` from metadata routing by default. Inside `cross_validate` or
    `GridSearchCV`, groups reach `fit`, and thereby early stopping, only with
    ``sklearn.set_config(enable_metadata_routing=True)``; without it they reach only the
    splitter, and early stopping sets random patches aside.

    A network is compiled once and used for all fits with the same architecture, patch
    shape, precision and optimizer.

    The reference network stacks small convolutions in blocks, as VGG does [1]_, with
    batch normalisation [2]_ and dropout [3]_.

    References
    ----------
    .. [1] K. Simonyan, A. Zisserman. "Very Deep Convolutional Networks for Large-Scale
       Image Recognition". ICLR 2015.
    .. [2] S. Ioffe, C. Szegedy. "Batch Normalization: Accelerating Deep Network
       Training by Reducing Internal Covariate Shift". ICML 2015.
    .. [3] N. Srivastava et al. "Dropout: A Simple Way to Prevent Neural Networks from
       Overfitting". JMLR 15, 2014.
    .. [4] L. N. Smith, N. Topin. "Super-Convergence: Very Fast Training of Neural
       Networks Using Large Learning Rates". arXiv:1708.07120, 2018.
    .. [5] Y. Wu, J. Johnson. "Rethinking 'Batch' in BatchNorm". arXiv:2105.07576, 2021.

    Examples
    --------
    >>> from skhisto import PatchCNNClassifier, make_patches
    >>> X, y = make_patches(40, size=24, random_state=0)
    >>> clf = PatchCNNClassifier(
    ...     filters=(8, 16), dense_units=16, epochs=2, random_state=0
    ... )
    >>> clf.fit(X, y).predict_proba(X).shape
    (40, 2)
    """

    # skops and pickles know a class by its public name.
    __module__ = "skhisto"
    __metadata_request__fit: ClassVar[dict[str, bool]] = {"groups": True}

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "model": [callable, None],
        "architecture": [StrOptions({"reference", "compact"})],
        "filters": ["array-like"],
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "dense_units": [Interval(Integral, 1, None, closed="left")],
        "conv_dropout": [Interval(Real, 0, 1, closed="left")],
        "dense_dropout": [Interval(Real, 0, 1, closed="left")],
        "padding": [StrOptions({"auto", "valid", "same"})],
        "batch_norm_momentum": [Interval(Real, 0, 1, closed="left")],
        "patch_shape": [tuple, list, None],
        "precision": [StrOptions({"float32", "bfloat16", "float16", "auto"})],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "optimizer": [str],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "learning_rate_schedule": [StrOptions({"constant", "cosine", "one_cycle"})],
        "optimizer_params": [dict, None],
        "augment": [str, callable, list, tuple, None],
        "tta": [StrOptions(set(SYMMETRIES)), None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "callbacks": [dict, list, tuple, None],
        "warm_start": ["boolean"],
        "verbose": [Interval(Integral, 0, 2, closed="both"), "boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        model: "Callable[[PatchShape, int], keras.Model] | None" = None,
        architecture: str = "reference",
        filters: Sequence[int] = (32, 64, 128),
        kernel_size: int = 3,
        dense_units: int = 256,
        conv_dropout: float = 0.3,
        dense_dropout: float = 0.5,
        padding: str = "auto",
        batch_norm_momentum: float = 0.9,
        patch_shape: PatchShape | None = None,
        precision: str = "float32",
        epochs: int = 10,
        batch_size: int | str = "auto",
        optimizer: str = "adam",
        learning_rate: float = 1e-3,
        learning_rate_schedule: str = "constant",
        optimizer_params: Mapping[str, Any] | None = None,
        augment: "AugmentParameter" = "auto",
        tta: str | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        tol: float = 1e-4,
        callbacks: Mapping[str, Mapping[str, Any]] | Sequence[Any] | None = None,
        warm_start: bool = False,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.model = model
        self.architecture = architecture
        self.filters = filters
        self.kernel_size = kernel_size
        self.dense_units = dense_units
        self.conv_dropout = conv_dropout
        self.dense_dropout = dense_dropout
        self.padding = padding
        self.batch_norm_momentum = batch_norm_momentum
        self.patch_shape = patch_shape
        self.precision = precision
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.optimizer_params = optimizer_params
        self.augment = augment
        self.tta = tta
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.verbose = verbose
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike | PatchArray,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        X_val: ArrayLike | PatchArray | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Train the network on patches and their labels.

        Parameters
        ----------
        X : array-like or PatchArray of shape (n, height, width, channels)
            Patches, in one of the forms that the class describes.
        y : array-like of shape (n,)
            Labels of any type, of two or more classes.
        sample_weight : array-like of shape (n,), default=None
            What a patch counts in the loss; only ratios matter. Patches of weight zero
            are as if they were not there.
        groups : array-like of shape (n,), default=None
            The slide, or patient, of each patch: early stopping sets whole groups
            aside.
        X_val : array-like or PatchArray of shape (n_val, height, width, channels), \
                default=None
            Patches to validate with after each epoch, instead of a part of X. For a
            Pipeline to transform them, switch metadata routing on, call
            ``set_fit_request(X_val=True, y_val=True)`` and give
            ``Pipeline(..., transform_input=["X_val"])``.
        y_val : array-like of shape (n_val,), default=None
            Labels of `X_val`.
        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of `X_val`.

        Returns
        -------
        self : PatchCNNClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If X or y are no patches or no classes, or do not suit each other or, with
            `warm_start`, the former fit; if there is but one class; if `X_val` comes
            without `y_val`; if early stopping cannot set patches of every class aside;
            if training diverges.
        """
        go_on = self.warm_start and hasattr(self, "weights_")
        context = self._init_callback_context(max_subtasks=self.epochs)
        checked = copy(self)  # nothing is set on self before training has succeeded
        samples = Samples.from_arrays(
            checked._check_patches(X, fitted=go_on),
            y,
            classes=self.classes_ if go_on else None,
            sample_weight=sample_weight,
            groups=groups,
        )
        self._check_views(samples.X)
        context.call_on_fit_task_begin(estimator=self, **samples.callback_data)
        class_weight = samples.class_weight(self.class_weight)
        samples = samples.weighted(class_weight)
        if len(np.unique(samples.target)) < 2:
            raise ValueError(
                f"{type(self).__name__} needs samples of at least 2 classes, but those "
                f"in y that count are all of one class: {samples.y.tolist()[0]!r}."
            )
        seed = self._draw_seed()
        validation = checked._check_validation(X_val, y_val, sample_weight_val, samples)
        if validation is not None:
            validation = validation.weighted(class_weight)
        elif self.early_stopping:
            rows, validation_rows = validation_split(
                samples.target, samples.groups, self.validation_fraction, seed
            )
            samples, validation = samples[rows], samples[validation_rows]

        attributes = train(
            self,
            samples.with_mean_weight_one(),
            validation,
            checked=checked,
            n_epochs=self.epochs,
            seed=seed,
            go_on=go_on,
            context=context,
            is_all=True,
        )
        if not self.warm_start:
            del attributes["optimizer_state_"]
        self._set_fitted(attributes)
        context.call_on_fit_task_end(
            estimator=self, **samples.callback_data, reconstruction_attributes={}
        )
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: ArrayLike | PatchArray,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch on these patches, going on from the former weights.

        Callbacks of scikit-learn are not told of it. Statistics of batch normalisation
        run along with `batch_norm_momentum`, as no call sees all patches.

        Parameters
        ----------
        X : array-like or PatchArray of shape (n, height, width, channels)
            Patches, in one of the forms that the class describes.
        y : array-like of shape (n,)
            Labels.
        classes : array-like of shape (n_classes,), default=None
            All labels that will occur. Needed in the first call.
        sample_weight : array-like of shape (n,), default=None
            What a patch counts in the loss. Unlike in `fit` the scale matters: twice
            the weight is twice the gradient, and twice the loss in `history_`.

        Returns
        -------
        self : PatchCNNClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If X or y are no patches or no known classes, or do not suit each other or
            former calls; with `early_stopping`, or ``class_weight="balanced"``.
        """
        if self.early_stopping:
            raise ValueError(
                "partial_fit does not support early_stopping=True: the caller decides "
                "when to stop."
            )
        if self.class_weight == "balanced":
            raise ValueError(
                "partial_fit does not support class_weight='balanced', as it does not "
                "see all samples. Give a dict of weights, made with "
                "sklearn.utils.class_weight.compute_class_weight."
            )
        go_on = hasattr(self, "weights_")
        checked = copy(self)
        samples = Samples.from_arrays(
            checked._check_patches(X, fitted=go_on),
            y,
            classes=self._check_partial_fit_classes(classes),
            sample_weight=sample_weight,
        )
        self._check_views(samples.X)
        attributes = train(
            self,
            samples.weighted(samples.class_weight(self.class_weight)),
            validation=None,
            checked=checked,
            n_epochs=1,
            seed=self._draw_seed(),
            go_on=go_on,
            context=None,
            is_all=False,
        )
        self._set_fitted(attributes)
        return self

    def decision_function(self, X: ArrayLike | PatchArray) -> np.ndarray:
        """Return the logits of patches.

        Unlike probabilities they do not saturate, so that ranks do not tie.

        Parameters
        ----------
        X : array-like or PatchArray of shape (n, height, width, channels)
            Patches of the shape and the kind of numbers seen in `fit`.

        Returns
        -------
        logits : ndarray of shape (n,) or (n, n_classes), float32
            Of two classes that of ``classes_[1]``, else those of all classes.

        Raises
        ------
        NotFittedError
            If the classifier is not fitted.
        ValueError
            If X has patches of another shape or other numbers than those in `fit`.
        """
        logits = self._predict_logits(X)
        return logits.ravel() if logits.shape[1] == 1 else logits

    def predict_proba(self, X: ArrayLike | PatchArray) -> np.ndarray:
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : array-like or PatchArray of shape (n, height, width, channels)
            Patches of the shape and the kind of numbers seen in `fit`.

        Returns
        -------
        probabilities : ndarray of shape (n, n_classes), float32
            In the order of `classes_`.

        Raises
        ------
        NotFittedError
            If the classifier is not fitted.
        ValueError
            If X has patches of another shape or other numbers than those in `fit`.
        """
        logits = self._predict_logits(X)
        if logits.shape[1] == 1:
            return expit(np.hstack([-logits, logits]))
        return softmax(logits, axis=1)

    def predict(self, X: ArrayLike | PatchArray) -> np.ndarray:
        """Return the most probable classes.

        Parameters
        ----------
        X : array-like or PatchArray of shape (n, height, width, channels)
            Patches of the shape and the kind of numbers seen in `fit`.

        Returns
        -------
        labels : ndarray of shape (n,)
            Entries of `classes_`.

        Raises
        ------
        NotFittedError
            If the classifier is not fitted.
        ValueError
            If X has patches of another shape or other numbers than those in `fit`.
        """
        logits = two_sided(self._predict_logits(X))
        return self.classes_[logits.argmax(axis=1)]

    @property
    def model_(self) -> "keras.Model":
        """A new Keras model with the fitted weights.

        It gets patches in the dtype `pixel_dtype_` and gives probabilities: of two
        classes that of ``classes_[1]``, else those of all classes. The reference
        network is made of stock layers: a saved model loads without skhisto. It sees
        patches as they are, also where `tta` averages views.
        """
        check_is_fitted(self, "weights_")
        from skhisto._keras.inference import live_model

        return live_model(fitted_spec(self), self.weights_)

    def _get_fitted_attr_html(self, doc_link: str = "") -> FittedSummary:
        return FittedSummary(self)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _check_patches(self, X: Any, *, fitted: bool) -> Patches:
        """Check X, against the former fit or, setting `n_features_in_`, for a first."""
        return check_patches(
            self,
            X,
            patch_shape=self.patch_shape_
            if fitted
            else check_patch_shape(self.patch_shape),
            pixel_dtype=self.pixel_dtype_ if fitted else None,
            reset=not fitted,
        )

    def _check_validation(
        self, X_val: Any, y_val: Any, sample_weight_val: Any, samples: Samples
    ) -> Samples | None:
        if X_val is None and y_val is None:
            if sample_weight_val is not None:
                raise ValueError("sample_weight_val needs X_val and y_val.")
            return None
        if X_val is None or y_val is None:
            raise ValueError("X_val and y_val must be given together.")
        X_val = check_patches(
            self,
            X_val,
            patch_shape=samples.X.shape[1:],
            pixel_dtype=pixel_dtype_of(samples.X),
            reset=False,
        )
        try:
            return Samples.from_arrays(
                X_val, y_val, classes=samples.classes, sample_weight=sample_weight_val
            )
        except ValueError as error:
            raise ValueError(
                f"In X_val, y_val or sample_weight_val: {error}"
            ) from error

    def _check_partial_fit_classes(self, classes: Any) -> np.ndarray:
        known = getattr(self, "classes_", None)
        if classes is None:
            if known is None:
                raise ValueError(
                    "classes must be passed on the first call to partial_fit."
                )
            return known
        classes = unique_labels(plain_strings(classes))
        if len(classes) < 2:
            raise ValueError(
                f"classes must hold at least 2 classes, but got {classes.tolist()}."
            )
        if known is not None and not np.array_equal(classes, known):
            raise ValueError(
                f"partial_fit got classes={classes}, but the classifier is fitted on "
                f"the classes {known}."
            )
        return classes

    def _draw_seed(self) -> int:
        return int(check_random_state(self.random_state).randint(_MAX_SEED))

    def _set_fitted(self, attributes: dict[str, Any]) -> None:
        """Replace the attributes of a former fit, of which none may stay."""
        for name in [n for n in vars(self) if n.endswith("_") and n[0] != "_"]:
            delattr(self, name)
        self.__dict__.update(attributes)

    def _predict_logits(self, X: Any) -> np.ndarray:
        check_is_fitted(self, "weights_")
        self._validate_params()  # tta and precision may have been set after fit
        X = self._check_patches(X, fitted=True)
        from skhisto._keras.inference import predict_logits

        return predict_logits(
            fitted_spec(self), self.weights_, X, views=self._check_views(X)
        )

    def _check_views(self, X: Patches) -> Sequence[int]:
        """Return the views that predictions are averaged over."""
        if self.tta is None:
            return (0,)
        check_square(X.shape[1:], f"tta={self.tta!r}")
        return SYMMETRIES[self.tta]
