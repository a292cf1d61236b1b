"""The convolutional network as a scikit-learn classifier. No Keras in here."""

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skhisto._classifier.checkpoint import Checkpoint
from skhisto._classifier.fitted_summary import FittedSummary
from skhisto._classifier.fitting import fit_network, fitted_spec
from skhisto._classifier.saved_fit import SavedFit
from skhisto._data.checks import check_fitted_patches
from skhisto._data.samples import probabilities_of, with_both_classes
from skhisto._data.training_data import (
    check_fit_data,
    check_partial_fit_data,
    with_validation,
)
from skhisto._saved_format import SavedFormat
from skhisto._types import Builder, PatchShape
from skhisto.augmentation._augment import AugmentParameter
from skhisto.patches._patch_array import PatchArray
from skhisto.patches._views import SYMMETRIES, check_square

if TYPE_CHECKING:
    import keras

_MAX_SEED = np.iinfo(np.int32).max
# What has parameters of its own, for the message on one that has none.
_EXAMPLES = {
    "architecture": "architecture=ReferenceCNN()",
    "augment": "augment=StainJitter()",
    "checkpoint": "checkpoint=Checkpoint('folder')",
}


class PatchCNNClassifier(
    SavedFormat, CallbackSupportMixin, ClassifierMixin, BaseEstimator
):
    """A convolutional neural network that classifies image patches.

    The default network is `ReferenceCNN`. `architecture` selects another one.

    `fit` and the prediction methods accept patches as

    - an array of shape (n, height, width, channels) with 1 to 4 channels;
    - an array of grey patches of shape (n, height, width);
    - a `PatchArray`, which is decoded batch by batch;
    - flat rows of height * width * channels values.

    Values of dtype uint8 and uint16 are pixels: the network divides them by the maximum
    of their dtype. All other numbers are used as they are.

    A fitted classifier consists of plain data. Therefore `clone`, `pickle`, `joblib`
    and `skops.io` work without Keras' serialisation. TensorFlow is imported at the
    first fit or prediction.

    Parameters
    ----------
    architecture : str, Architecture or callable, default="reference"
        The network, in one of three forms:

        - a name: "reference" for `ReferenceCNN`, "compact" for `CompactCNN`, which has
          a sixth of the parameters, or "efficientnet_lite0", "efficientnet_lite1" or
          "efficientnet_lite2" for `EfficientNetLite` with ImageNet weights;
        - an object with parameters, such as ``ReferenceCNN(filters=(16, 32))``.
          `GridSearchCV` searches its parameters as ``architecture__filters``;
        - a function ``architecture(patch_shape, n_outputs)`` that returns a new,
          uncompiled `keras.Model`. Its input has the shape ``(n, *patch_shape)``:
          pixels in [0, 1], or other numbers as they are. Its output has the shape
          ``(n, n_outputs)``: one logit for two classes, otherwise one for each class.
          See the notes on networks that cannot be stored.
    patch_shape : tuple of int (height, width, channels), default=None
        Shape of the patches, in pixels. It is needed only for flat rows that are
        neither square RGB nor square grey patches. None takes ``3 * k * k`` values as
        an RGB patch, ``k * k`` values as a grey patch, and other numbers of values as
        a strip one pixel high. Arrays of images must have this shape if it is given.
    precision : {"float32", "bfloat16", "float16", "auto"}, default="float32"
        Number format of the computation. Weights, statistics of batch normalisation and
        the loss are always float32. "auto" uses "bfloat16" on hardware that supports it
        (processors with AMX or AVX512-BF16 on Linux, and GPUs since NVIDIA Ampere), and
        "float32" otherwise. Unsupported formats are slower than float32.
    engine : {"keras", "openvino"}, default="keras"
        What computes predictions: TensorFlow, or OpenVINO on the processor, which needs
        the extra ``openvino``. It can also be set after `fit`. Training, validation
        during training and `model_` always use Keras. See the notes on engines.
    epochs : int, default=10
        Number of passes over the training patches in `fit`.
    batch_size : int or "auto", default="auto"
        Number of patches in a training step. "auto" uses 64 for at least 2,048 training
        patches, 32 for at least 1,024, 16 for at least 512, and 8 otherwise, so that an
        epoch has at least 32 steps. As a result, a fold of a cross-validation may be
        trained with smaller batches than the final fit on all patches. `batch_size_`
        has the number that was used. Set `batch_size` when you tune other parameters
        near one of these limits.
    optimizer : str, default="adam"
        Name of a Keras optimizer.
    learning_rate : float, default=1e-3
        Step size of the optimizer. With a schedule, the maximum.
    learning_rate_schedule : {"constant", "cosine", "one_cycle"}, default="constant"
        How the learning rate changes from step to step. "cosine" falls to zero over the
        `epochs` of a fit. "one_cycle" rises during the first 30 % of the steps and
        falls afterwards [1]_. `partial_fit` uses a constant learning rate, because the
        total number of steps is unknown.
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
        square ("d4") or over its four rotations ("c4"). Predictions take eight or four
        times as long. It can also be set after `fit`. Validation during training does
        not use it.
    class_weight : dict or "balanced", default=None
        Weights of the classes in the loss. "balanced" makes them inversely proportional
        to the frequencies of the classes. Classes that a dict does not contain have the
        weight 1.
    early_stopping : bool, default=False
        Whether to stop when the loss on validation patches no longer improves, and to
        keep the weights of the best epoch. The validation patches are `X_val` of `fit`,
        or a part of the training patches: whole groups if `fit` receives `groups` or X
        is a :class:`PatchArray` with groups, otherwise a random part that is stratified
        by class.
    validation_fraction : float, default=0.1
        Fraction of the training patches that early stopping sets aside, in (0, 1). Used
        only with `early_stopping` and without `X_val`.
    n_iter_no_change : int, default=5
        Number of epochs without improvement after which early stopping stops.
    tol : float, default=1e-4
        Early stopping counts a validation loss as an improvement only if it is lower by
        more than this.
    callbacks : dict or list, default=None
        Keras callbacks: a dict from names to parameters, such as
        ``{"ReduceLROnPlateau": {"monitor": "loss"}}``, or a list of names and
        instances. Instances are copied for each fit. Callbacks may change the weights
        and assign a number to the learning rate. Callbacks that replace the optimizer,
        compile the network or change its layers raise an error. Set callbacks of
        scikit-learn, such as `sklearn.callback.ProgressBar`, with `set_callbacks`.
    warm_start : bool, default=False
        Whether `fit` continues from the weights and the optimizer state of the previous
        fit. `architecture` is called again and must build a network with the same
        weights, but may change which of them are trainable. The optimizer starts from a
        fresh state if `optimizer` or the trainable weights have changed, or if only one
        of both fits used float16. With `early_stopping`, pass an int as `random_state`,
        or `X_val`. Otherwise each fit sets aside other patches, on which previous fits
        were trained.
    checkpoint : Checkpoint, default=None
        Where `fit` saves its state after each epoch, so that the same fit continues
        after a crash. A finished fit is not trained again, except with
        ``random_state=None``. `partial_fit` does not use it. With a checkpoint,
        `callbacks` must not have a state: `LearningRateScheduler`, `TerminateOnNaN`,
        `LambdaCallback` and `CSVLogger` with ``append=True`` are allowed. None saves
        nothing.
    verbose : int, default=0
        0 is silent, 1 shows a progress bar for each epoch, 2 prints a line for each
        epoch.
    random_state : int, RandomState instance or None, default=None
        Determines the initial weights, the order of the patches, augmentation, dropout
        and the validation split. With an int, results on the CPU are bitwise
        reproducible for the same number of TensorFlow threads. Not covered are
        functions given as `architecture` that use `numpy.random` or `tf.random`, or
        initializer objects that were created outside the function.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels of the classes.
    weights_ : dict of str to ndarray
        Weights of the network, in its order.
    network_config_ : str or None
        Configuration of the network as JSON, from which predictions build it again.
        None for networks that cannot be stored.
    network_hash_ : str or None
        For networks that cannot be stored: a hash of what the network computes.
    patch_shape_ : tuple of int (height, width, channels)
        Shape of the patches seen in `fit`, in pixels.
    pixel_dtype_ : {"uint8", "uint16", "float32"}
        How the numbers seen in `fit` are used: as pixels of 8 or 16 bits, or as they
        are.
    value_range_ : tuple of float (minimum, maximum) or None
        Range of the training patches, if `pixel_dtype_` is "float32". Predictions warn
        if values are far outside it.
    needs_pixels_ : bool
        Whether numbers outside of [0, 1] are an error in predictions, as in `fit`. True
        if the architecture had pretrained weights, which are meant for pixels.
    precision_ : {"float32", "bfloat16", "float16"}
        Number format that the network used in `fit`. With ``precision="auto"``,
        predictions use the format that their hardware supports.
    batch_size_ : int
        Number of patches in a training step.
    history_ : dict of str to list of float
        One value for each epoch. "loss" (mean cross-entropy, plus penalties of the
        network's regularisers) and "accuracy" are means over the epoch on training
        patches. With validation patches, "val_loss" (cross-entropy) and "val_accuracy"
        are measured at the end of the epoch; they are NaN for epochs without
        validation. Class weights and sample weights apply to all of them.
    n_iter_ : int
        Number of epochs that the network was trained for. After an interrupt or a
        divergence, number of the last epoch that was kept.
    best_epoch_ : int or None
        The epoch, counted from 1, whose weights early stopping kept. None without early
        stopping.
    layers_ : list of dict
        For each layer of the network its "name", "type", "output_shape" of a patch and
        "n_parameters". ``pandas.DataFrame(clf.layers_)`` shows them as a table. The
        shape is None for a layer without a single output shape.
    n_features_in_ : int
        Number of values of a patch: height * width * channels.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns. Defined only if X was a data frame with string names.
    optimizer_state_ : dict of str to ndarray
        State of the optimizer. Defined only after `partial_fit`, or `fit` with
        `warm_start`.

    See Also
    --------
    ReferenceCNN : The default architecture.
    CompactCNN : A smaller architecture.
    EfficientNetLite : A network with ImageNet weights.
    KerasApplication : Other pretrained networks.
    Checkpoint : Save the state of training.
    PatchLoader : Load patches from image files.
    CenterCrop : Crop patches to their centre.

    Notes
    -----
    *Groups.* `fit` requests `groups` from metadata routing by default. Inside
    `cross_validate` or `GridSearchCV`, groups reach `fit`, and therefore early
    stopping, only with ``sklearn.set_config(enable_metadata_routing=True)``. Otherwise
    they reach only the splitter, and early stopping sets aside random patches. The
    groups of a :class:`PatchArray` need no routing: they are selected with its patches.

    *Compiled networks.* A network is compiled once and used for all fits with the same
    network, precision and optimizer. Networks are compared by their content.

    *Networks that cannot be stored.* A fitted classifier stores the configuration of
    its network, so that later changes of `architecture`, or of variables that a
    function reads, do not change its predictions. This is possible for networks that
    consist of Keras' own layers. With `Lambda` layers, functions or user-defined
    layers, `fit` warns and stores a hash of the network instead. Predictions then call
    `architecture` again, and raise an error if it builds another network.

    *Frozen layers.* Layers of a network that have ``trainable = False`` keep their
    weights, and frozen batch normalisation keeps its statistics. A function that builds
    a network around a pretrained one must set ``backbone.trainable = False`` for that.
    The argument `training` of ``backbone(x, training=False)`` has no effect: Keras
    replaces it in training. It has an effect only inside of a method ``call``.

    *Interrupts.* If a ``KeyboardInterrupt`` ends `fit`, the classifier keeps the last
    complete epoch, or with early stopping the best one, and the interrupt is raised
    again. Before the first complete epoch, the classifier stays as it was.

    *Engines.* ``engine="openvino"`` converts the network at the first prediction, which
    takes 1 to 4 seconds for each set of weights. The last 8 are kept. Which engine is
    faster depends on the processor: measure it. OpenVINO keeps to the number of threads
    that TensorFlow may use. With both engines, the prediction of a patch does not
    depend on the other patches, bitwise. Predictions of the two engines differ:

    - with "float32", logits of the architectures of skhisto by less than 1e-4 of their
      range, features of `EfficientNetLite` by less than 1e-4;
    - with "bfloat16", about as much as the predictions of Keras in "bfloat16" differ
      from those in "float32". The engines choose different layers to compute in 16
      bits.

    Where the processor does not support "bfloat16" or "float16" natively, OpenVINO
    computes in float32.

    *Forked processes.* After TensorFlow has been used, processes that are started by
    "fork" cannot fit or predict, and raise an error. Use joblib's default backend
    "loky", the start method "spawn", or threads.

    References
    ----------
    .. [1] L. N. Smith, N. Topin. "Super-Convergence: Very Fast Training of Neural
       Networks Using Large Learning Rates". arXiv:1708.07120, 2018.
    .. [2] Y. Wu, J. Johnson. "Rethinking 'Batch' in BatchNorm". arXiv:2105.07576, 2021.
       After training, `fit` measures the statistics of batch normalisation on up to
       1,024 training patches, as proposed there.

    Examples
    --------
    >>> from skhisto import PatchCNNClassifier, ReferenceCNN, make_patches
    >>> X, y = make_patches(40, size=24, random_state=0)
    >>> clf = PatchCNNClassifier(
    ...     architecture=ReferenceCNN(filters=(8, 16), dense_units=16),
    ...     epochs=2,
    ...     random_state=0,
    ... )
    >>> clf.fit(X, y).predict_proba(X).shape
    (40, 2)
    """

    # The name that pickles and skops files store.
    __module__ = "skhisto"
    __metadata_request__fit: ClassVar[dict[str, bool]] = {"groups": True}

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "architecture": [str, callable],
        "patch_shape": [tuple, list, None],
        "precision": [StrOptions({"float32", "bfloat16", "float16", "auto"})],
        "engine": [StrOptions({"keras", "openvino"})],
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
        "checkpoint": [Checkpoint, None],
        "verbose": [Interval(Integral, 0, 2, closed="both"), "boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        architecture: str | Builder = "reference",
        patch_shape: PatchShape | None = None,
        precision: str = "float32",
        engine: str = "keras",
        epochs: int = 10,
        batch_size: int | str = "auto",
        optimizer: str = "adam",
        learning_rate: float = 1e-3,
        learning_rate_schedule: str = "constant",
        optimizer_params: Mapping[str, Any] | None = None,
        augment: AugmentParameter = "auto",
        tta: str | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        tol: float = 1e-4,
        callbacks: Mapping[str, Mapping[str, Any]] | Sequence[Any] | None = None,
        warm_start: bool = False,
        checkpoint: Checkpoint | None = None,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.architecture = architecture
        self.patch_shape = patch_shape
        self.precision = precision
        self.engine = engine
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
        self.checkpoint = checkpoint
        self.verbose = verbose
        self.random_state = random_state

    def set_params(self, **params: Any) -> Self:
        """Set the parameters of the classifier and of its components.

        Parameters
        ----------
        **params : dict
            Parameters by name. ``architecture__<name>``, ``augment__<name>`` and
            ``checkpoint__<name>`` set the parameters of the object that `architecture`,
            `augment` or `checkpoint` is.

        Returns
        -------
        self : PatchCNNClassifier
            The classifier itself.

        Raises
        ------
        ValueError
            If a parameter does not exist, or if the component is not an object with
            parameters.
        """
        for name in params:
            component, _, parameter = name.partition("__")
            value = params.get(component, getattr(self, component, None))
            if parameter and not hasattr(value, "set_params"):
                raise ValueError(
                    f"{name} cannot be set because {component}={value!r} has no "
                    f"parameters. Pass an object, such as {_EXAMPLES.get(component)}."
                    if component in _EXAMPLES
                    else f"Invalid parameter {name!r} for {type(self).__name__}."
                )
        return super().set_params(**params)

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
            Labels of any type, with at least two classes. The shape (n, 1, 1, 1) of
            PatchCamelyon's files is accepted too.
        sample_weight : array-like of shape (n,), default=None
            Weights of the patches in the loss. Only their ratios matter. Patches of
            weight zero are ignored.
        groups : array-like of shape (n,), default=None
            The slide or patient of each patch. Early stopping sets whole groups aside.
            None takes ``X.groups`` if X is a :class:`PatchArray`.
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
            - If a parameter is invalid.
            - If X is not a valid stack of patches.
            - If X and y have different lengths, or y has only one class.
            - With `warm_start`, if X, y or the network do not match the previous fit.
            - If only one of `X_val` and `y_val` is given.
            - If early stopping cannot set aside patches of every class.
            - If numbers are not in [0, 1] although the architecture has pretrained
              weights.
            - If training diverges before an epoch is complete.
            - If a callback changes the network, or has a state and there is a
              `checkpoint`.
        KeyboardInterrupt
            If `fit` is interrupted. The last good epoch is kept, see the class.
        OSError
            If the folder of `checkpoint` cannot be created.
        RuntimeError
            In a forked process, if TensorFlow was used before the fork.

        Warns
        -----
        UserWarning
            If the network cannot be stored; if it has more than 10 million parameters,
            most of them in one layer that grows with the area of the patches; or if
            values that are used as they are exceed the range of scaled images. If a
            checkpoint cannot be read, so that training starts from the first epoch.
        ConvergenceWarning
            If training diverges. The last epoch with finite loss and weights is kept,
            or with early stopping the best epoch.
        RuntimeWarning
            If a checkpoint cannot be written. Training continues.
        """
        is_continued = self.warm_start and hasattr(self, "weights_")
        context = self._init_callback_context(max_subtasks=self.epochs)
        seed = self._draw_seed()
        data = check_fit_data(
            self,
            X,
            y,
            sample_weight=sample_weight,
            groups=groups,
            validation=(X_val, y_val, sample_weight_val),
            is_continued=is_continued,
        )
        saved = None
        if self.checkpoint is not None:
            saved = SavedFit(self, data, seed=seed, is_continued=is_continued)
            seed = saved.seed
        data = with_validation(self, data, seed)
        callback_data = data.all_samples.callback_data
        context.call_on_fit_task_begin(estimator=self, **callback_data)
        fit_network(
            self,
            data,
            seed=seed,
            is_continued=is_continued,
            is_partial=False,
            keep=self._set_fitted,
            context=context,
            saved=saved,
        )
        context.call_on_fit_task_end(
            estimator=self, **callback_data, reconstruction_attributes={}
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
        """Train for one epoch on these patches, starting from the current weights.

        The learning rate is constant, and `epochs` and `learning_rate_schedule` are not
        used. Callbacks of scikit-learn are not called. Batch normalisation keeps
        running statistics with the momentum of its layers, because no call sees all
        patches.

        Parameters
        ----------
        X : array-like or PatchArray of shape (n, height, width, channels)
            Patches, in one of the forms that the class describes.
        y : array-like of shape (n,)
            Labels.
        classes : array-like of shape (n_classes,), default=None
            All labels that will occur. Required in the first call.
        sample_weight : array-like of shape (n,), default=None
            Weights of the patches in the loss. Unlike in `fit`, their scale matters:
            doubling all weights doubles the gradient and the loss in `history_`.

        Returns
        -------
        self : PatchCNNClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            - If a parameter is invalid.
            - If X is not a valid stack of patches, or y has unknown labels.
            - If X, y or the network do not match the previous calls.
            - With `early_stopping`, or with ``class_weight="balanced"``.
        """
        is_continued = hasattr(self, "weights_")
        data = check_partial_fit_data(
            self,
            X,
            y,
            classes=classes,
            sample_weight=sample_weight,
            is_continued=is_continued,
        )
        fit_network(
            self,
            data,
            seed=self._draw_seed(),
            is_continued=is_continued,
            is_partial=True,
            keep=self._set_fitted,
        )
        return self

    def decision_function(self, X: ArrayLike | PatchArray) -> np.ndarray:
        """Return the logits of patches.

        Unlike probabilities, logits do not saturate, so that high scores do not tie.

        Parameters
        ----------
        X : array-like or PatchArray of shape (n, height, width, channels)
            Patches of the shape and the kind of numbers seen in `fit`, in one of the
            forms that the class describes.

        Returns
        -------
        logits : ndarray of shape (n,) or (n, n_classes), float32
            The logit of ``classes_[1]`` for two classes, otherwise one column for each
            class.

        Raises
        ------
        NotFittedError
            If the classifier is not fitted.
        ValueError
            - If X is not a valid stack of patches.
            - If its shape or kind of numbers differs from those in `fit`.
            - If numbers are not in [0, 1] although `needs_pixels_` is True.
            - If the network could not be stored and `architecture` builds another one.
        ImportError
            If `engine` is not installed.
        """
        logits = self._predict_logits(X)
        return logits.ravel() if logits.shape[1] == 1 else logits

    def predict_proba(self, X: ArrayLike | PatchArray) -> np.ndarray:
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : array-like or PatchArray of shape (n, height, width, channels)
            Patches of the shape and the kind of numbers seen in `fit`, in one of the
            forms that the class describes.

        Returns
        -------
        probabilities : ndarray of shape (n, n_classes), float64
            One column for each class, in the order of `classes_`. Rows sum to one.

        Raises
        ------
        NotFittedError
            If the classifier is not fitted.
        ValueError
            - If X is not a valid stack of patches.
            - If its shape or kind of numbers differs from those in `fit`.
            - If numbers are not in [0, 1] although `needs_pixels_` is True.
            - If the network could not be stored and `architecture` builds another one.
        ImportError
            If `engine` is not installed.
        """
        return probabilities_of(self._predict_logits(X))

    def predict(self, X: ArrayLike | PatchArray) -> np.ndarray:
        """Return the most probable classes.

        Parameters
        ----------
        X : array-like or PatchArray of shape (n, height, width, channels)
            Patches of the shape and the kind of numbers seen in `fit`, in one of the
            forms that the class describes.

        Returns
        -------
        labels : ndarray of shape (n,)
            Entries of `classes_`.

        Raises
        ------
        NotFittedError
            If the classifier is not fitted.
        ValueError
            - If X is not a valid stack of patches.
            - If its shape or kind of numbers differs from those in `fit`.
            - If numbers are not in [0, 1] although `needs_pixels_` is True.
            - If the network could not be stored and `architecture` builds another one.
        ImportError
            If `engine` is not installed.
        """
        logits = with_both_classes(self._predict_logits(X))
        return self.classes_[logits.argmax(axis=1)]

    @property
    def model_(self) -> "keras.Model":
        """A new Keras model with the fitted weights.

        It maps patches of the dtype `pixel_dtype_` to probabilities: the probability of
        ``classes_[1]`` for two classes, otherwise one column for each class. It ignores
        `tta`. The architectures of skhisto consist of Keras' own layers, so that a
        saved model loads without skhisto.
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

    def _draw_seed(self) -> int:
        return int(check_random_state(self.random_state).randint(_MAX_SEED))

    def _set_fitted(self, attributes: dict[str, Any]) -> None:
        """Replace all attributes of a previous fit."""
        others = {
            name: value
            for name, value in vars(self).items()
            if name[0] == "_" or not name.endswith("_")
        }
        # One assignment, so that an interrupt finds either the old or the new fit.
        self.__dict__ = others | attributes

    def _views(self) -> Sequence[int]:
        """Return the views of a patch whose probabilities are averaged."""
        if self.tta is None:
            return (0,)
        check_square(self.patch_shape_, f"tta={self.tta!r}")
        return SYMMETRIES[self.tta]

    def _predict_logits(self, X: Any) -> np.ndarray:
        check_is_fitted(self, "weights_")
        self._validate_params()  # tta, precision and engine may have been set after fit
        patches = check_fitted_patches(self, X)
        from skhisto._keras.inference import predict_logits

        return predict_logits(
            fitted_spec(self),
            self.weights_,
            patches,
            views=self._views(),
            fitted_range=self.value_range_,
            needs_pixels=self.needs_pixels_,
            engine=self.engine,
        )
