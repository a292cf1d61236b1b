"""The classifier of patches. This module does not import Keras."""

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
# Examples of components with parameters, for an error message.
_EXAMPLES = {
    "architecture": "architecture=ReferenceCNN()",
    "augment": "augment=StainJitter()",
    "checkpoint": "checkpoint=Checkpoint('folder')",
}


class PatchCNNClassifier(
    SavedFormat, CallbackSupportMixin, ClassifierMixin, BaseEstimator
):
    """A convolutional neural network that classifies image patches.

    `fit` and the prediction methods accept patches as

    - an array of shape (n, height, width, channels) with 1 to 4 channels,
    - an array of grey patches of shape (n, height, width),
    - a `PatchArray`, which is decoded batch by batch, or
    - flat rows of height * width * channels values.

    Values of dtype uint8 and uint16 are pixels. The network divides them by the maximum
    of their dtype. All other numbers are not rescaled.

    A fitted classifier consists of plain data. Therefore `clone`, `pickle`, `joblib`
    and `skops.io` work without the serialisation of Keras. TensorFlow is imported at
    the first fit or prediction.

    The parameters form four groups:

    - Network: `architecture`, `patch_shape`, `precision`.
    - Training: `epochs`, `batch_size`, `optimizer`, `learning_rate`,
      `learning_rate_schedule`, `optimizer_params`, `augment`, `class_weight`,
      `callbacks`, `warm_start`, `checkpoint`, `verbose`, `random_state`.
    - Early stopping: `early_stopping`, `validation_fraction`, `n_iter_no_change`,
      `tol`.
    - Prediction: `tta`, `engine`. Both can also be set after `fit`.

    Parameters
    ----------
    architecture : str, Architecture or callable, default="reference"
        The network. The default is a simple baseline. On real patches,
        "efficientnet_lite0" and "compact" are faster and more accurate: see the page on
        choosing a method in the user guide. Valid values are:

        - A name: "reference" for `ReferenceCNN`, "compact" for `CompactCNN`, or
          "efficientnet_lite0", "efficientnet_lite1" or "efficientnet_lite2" for
          `EfficientNetLite` with ImageNet weights.
        - An object with parameters, such as ``ReferenceCNN(filters=(16, 32))``.
          `GridSearchCV` searches its parameters as ``architecture__filters``.
        - A function ``architecture(patch_shape, n_outputs)`` that returns a new,
          uncompiled `keras.Model`. Its input has the shape ``(n, *patch_shape)`` and
          contains pixels in [0, 1], or numbers that are not rescaled. Its output
          contains logits of shape ``(n, n_outputs)``, where `n_outputs` is 1 for two
          classes and the number of classes otherwise. See the notes on networks that
          cannot be stored.
    patch_shape : tuple of int (height, width, channels), default=None
        Shape of the patches, in pixels. Only flat rows need it. None interprets rows of
        ``3 * k * k`` values as RGB patches, rows of ``k * k`` values as grey patches,
        and other rows as strips that are one pixel high. If it is given, all patches
        must have this shape.
    precision : {"float32", "bfloat16", "float16", "auto"}, default="float32"
        Number format of the computation. Weights, statistics of batch normalisation and
        the loss are always float32. "auto" uses "bfloat16" on hardware that supports it
        (processors with AMX or AVX512-BF16 on Linux, and GPUs since NVIDIA Ampere), and
        "float32" otherwise. Unsupported formats are slower than float32.
    epochs : int, default=10
        Number of passes over the training patches in `fit`.
    batch_size : int or "auto", default="auto"
        Number of patches in a training step. "auto" uses 64 for at least 2,048 training
        patches, 32 for at least 1,024, 16 for at least 512, and 8 otherwise. In a
        cross-validation, the folds may therefore have smaller batches than the final
        fit. Set a number to keep it constant while you tune other parameters.
    optimizer : str, default="adam"
        Name of a Keras optimizer.
    learning_rate : float, default=1e-3
        Step size of the optimizer. With a schedule, the maximum.
    learning_rate_schedule : {"constant", "cosine", "one_cycle"}, default="constant"
        How the learning rate changes from step to step. "cosine" decreases to zero over
        the `epochs` of a fit. "one_cycle" increases during the first 30 % of the steps
        and decreases afterwards [1]_. `partial_fit` uses a constant learning rate,
        because the total number of steps is unknown.
    optimizer_params : dict, default=None
        Further parameters of the optimizer, such as ``{"momentum": 0.9}``.
    augment : "auto", str, callable, list of these or None, default="auto"
        Random changes to training patches that do not change their labels. Each batch
        is changed differently. A list is applied in order. Valid values are:

        - "d4" or `D4`: rotations and flips.
        - "stain" or `StainJitter`: changes of the stain concentrations.
        - "brightness" or `BrightnessJitter`: changes of the brightness.
        - A function ``augment(patches, rng)``. It receives the patches of a batch, of
          dtype `pixel_dtype_`, and a `numpy.random.Generator`. It returns new patches
          of the same shape and dtype.
        - "auto": "d4" if the patches are square, and "stain" if they are RGB patches of
          dtype uint8. `fit` warns if other patches with 3 or 4 channels are used. For
          other stains than haematoxylin and eosin, use "d4".
        - None: no augmentation.
    class_weight : dict or "balanced", default=None
        Weights of the classes in the loss. "balanced" uses weights that are inversely
        proportional to the frequencies of the classes. Classes that are missing in a
        dict have the weight 1.
    callbacks : dict or list, default=None
        Keras callbacks: a dict from names to parameters, such as
        ``{"ReduceLROnPlateau": {"monitor": "loss"}}``, or a list of names and
        instances. Instances are copied for each fit. Callbacks may change the weights
        and assign a number to the learning rate. Callbacks that replace the optimizer,
        compile the network or change its layers raise an error. To add callbacks of
        scikit-learn, such as `sklearn.callback.ProgressBar`, use `set_callbacks`.
    warm_start : bool, default=False
        Whether `fit` continues from the weights and the optimizer state of the previous
        fit. `architecture` is called again. It must build a network with the same
        weights, but may change which of them are trainable. The optimizer state is
        reset if `optimizer` or the trainable weights have changed, or if only one of
        the two fits uses float16. With `early_stopping`, set `random_state` to an int
        or pass `X_val`. Otherwise, each fit holds out other patches, which may have
        been training patches before.
    checkpoint : Checkpoint, default=None
        Saves the state of `fit` after each epoch, so that the same fit continues after
        a crash. A finished fit is not trained again, except with ``random_state=None``.
        `partial_fit` ignores it. With a checkpoint, only these callbacks are allowed:
        `LearningRateScheduler`, `TerminateOnNaN`, `LambdaCallback`, and `CSVLogger`
        with ``append=True``.
    verbose : int, default=0
        0 is silent, 1 shows a progress bar for each epoch, 2 prints a line for each
        epoch.
    random_state : int, RandomState instance or None, default=None
        Controls the initial weights, the order of the patches, augmentation, dropout
        and the validation split. With an int, results on the CPU are bitwise
        reproducible for the same number of TensorFlow threads. This does not apply if
        `architecture` is a function that uses `numpy.random`, `tf.random`, or
        initializer objects that were created outside the function.
    early_stopping : bool, default=False
        Whether to stop when the loss on validation patches no longer improves, and to
        keep the weights of the best epoch. If `X_val` is not passed to `fit`, early
        stopping holds out some of the training patches: whole groups if `fit` receives
        `groups` or a :class:`PatchArray` with groups, otherwise a random selection that
        is stratified by class.
    validation_fraction : float, default=0.1
        Fraction of the training patches that early stopping holds out, in (0, 1). Used
        only with `early_stopping` and without `X_val`.
    n_iter_no_change : int, default=5
        Number of epochs without improvement after which early stopping stops.
    tol : float, default=1e-4
        Minimum decrease of the validation loss that counts as an improvement.
    tta : {"d4", "c4"}, default=None
        Test-time augmentation. Probabilities are averaged over the eight views of the
        square ("d4") or over its four rotations ("c4"). Predictions take eight or four
        times as long. Validation during training does not use it.
    engine : {"keras", "openvino"}, default="keras"
        Software that computes predictions: TensorFlow, or OpenVINO on the processor,
        which needs the extra ``openvino``. Training, validation during training and
        `model_` always use Keras. See the notes on engines.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels of the classes.
    weights_ : dict of str to ndarray
        Weights of the network by name, in the order of the network.
    network_config_ : str or None
        Configuration of the network as JSON, from which predictions build it. None for
        networks that cannot be stored.
    network_hash_ : str or None
        Hash of the computations of a network that cannot be stored, otherwise None.
    patch_shape_ : tuple of int (height, width, channels)
        Shape of the patches seen in `fit`, in pixels.
    pixel_dtype_ : {"uint8", "uint16", "float32"}
        Kind of numbers seen in `fit`: 8-bit pixels, 16-bit pixels, or numbers that are
        not rescaled.
    value_range_ : tuple of float (minimum, maximum) or None
        Range of the training patches, if `pixel_dtype_` is "float32". Predictions warn
        if values are far outside this range.
    needs_pixels_ : bool
        Whether numbers outside [0, 1] are an error in predictions, as in `fit`. True if
        the architecture has pretrained weights.
    precision_ : {"float32", "bfloat16", "float16"}
        Number format of the network in `fit`. With ``precision="auto"``, predictions
        use the format that their hardware supports.
    batch_size_ : int
        Number of patches in a training step.
    history_ : dict of str to list of float
        One value for each epoch. "loss" and "accuracy" are means over the training
        patches during the epoch. The loss is the cross-entropy plus the penalties of
        regularisers. With validation patches, "val_loss" (cross-entropy) and
        "val_accuracy" are measured at the end of the epoch. They are NaN for epochs
        without validation. All values use class weights and sample weights.
    n_iter_ : int
        Number of trained epochs. After an interrupt or a divergence, the number of the
        last epoch that was kept.
    best_epoch_ : int or None
        Number of the epoch whose weights early stopping kept, counted from 1. None
        without early stopping.
    layers_ : list of dict
        The "name", "type", "output_shape" and "n_parameters" of each layer. The output
        shape is for one patch, and None for layers without a single output shape.
        ``pandas.DataFrame(clf.layers_)`` shows the layers as a table.
    n_features_in_ : int
        Number of values of a patch: height * width * channels.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns. Defined only if X is a data frame with string names.
    optimizer_state_ : dict of str to ndarray
        State of the optimizer. Defined only after `partial_fit`, or after `fit` with
        `warm_start`.

    See Also
    --------
    ReferenceCNN : The default architecture.
    CompactCNN : A smaller architecture.
    EfficientNetLite : A network with ImageNet weights.
    KerasApplication : Other pretrained networks.
    Checkpoint : Saves the state of training.
    PatchLoader : Loads patches from image files.
    CenterCrop : Crops patches to their centre.

    Notes
    -----
    *Groups.* `fit` requests `groups` from metadata routing. Inside `cross_validate` or
    `GridSearchCV`, groups reach `fit`, and therefore early stopping, only with
    ``sklearn.set_config(enable_metadata_routing=True)``. Otherwise they reach only the
    splitter, and early stopping holds out random patches. The groups of a
    :class:`PatchArray` do not need routing, because they are selected with its patches.

    *Networks that cannot be stored.* A fitted classifier stores the configuration of
    its network. Later changes to `architecture`, or to variables that a function reads,
    therefore do not affect its predictions. The configuration can be stored if the
    network consists of Keras' own layers. For networks with `Lambda` layers, functions
    or user-defined layers, `fit` warns and stores a hash instead. Predictions then call
    `architecture` again, and raise an error if it builds another network.

    *Frozen layers.* Layers with ``trainable = False`` keep their weights, and frozen
    batch normalisation keeps its statistics. To freeze a pretrained network inside a
    function, set ``backbone.trainable = False``. The argument `training` of
    ``backbone(x, training=False)`` has no effect, because Keras replaces it in
    training.

    *Batch normalisation.* After training, `fit` measures the statistics of batch
    normalisation on up to 1,024 training patches [2]_.

    *Interrupts.* If a ``KeyboardInterrupt`` ends `fit`, the classifier keeps the last
    complete epoch, or the best epoch with early stopping. The interrupt is raised
    again. Before the end of the first epoch, the classifier is not changed.

    *Engines.* ``engine="openvino"`` converts the network at the first prediction, which
    takes 1 to 4 seconds for each set of weights. The last 8 sets are cached. OpenVINO
    uses as many threads as TensorFlow may use. With both engines, the prediction of a
    patch is bitwise independent of the other patches. The engines differ as follows:

    - With "float32", logits of the architectures of skhisto differ by less than 1e-4 of
      their range, and features of `EfficientNetLite` by less than 1e-4.
    - With "bfloat16", they differ by about as much as "bfloat16" and "float32" differ
      in Keras, because the engines use 16 bits in different layers.
    - OpenVINO uses float32 if the processor does not support "bfloat16" or "float16".

    *Forked processes.* After TensorFlow was used, processes that are started by "fork"
    cannot fit or predict, and raise an error. Use joblib's default backend "loky", the
    start method "spawn", or threads.

    References
    ----------
    .. [1] L. N. Smith, N. Topin. "Super-Convergence: Very Fast Training of Neural
       Networks Using Large Learning Rates". arXiv:1708.07120, 2018.
    .. [2] Y. Wu, J. Johnson. "Rethinking 'Batch' in BatchNorm". arXiv:2105.07576, 2021.

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
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "callbacks": [dict, list, tuple, None],
        "warm_start": ["boolean"],
        "checkpoint": [Checkpoint, None],
        "verbose": [Interval(Integral, 0, 2, closed="both"), "boolean"],
        "random_state": ["random_state"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "tta": [StrOptions(set(SYMMETRIES)), None],
        "engine": [StrOptions({"keras", "openvino"})],
    }

    def __init__(
        self,
        *,
        architecture: str | Builder = "reference",
        patch_shape: PatchShape | None = None,
        precision: str = "float32",
        epochs: int = 10,
        batch_size: int | str = "auto",
        optimizer: str = "adam",
        learning_rate: float = 1e-3,
        learning_rate_schedule: str = "constant",
        optimizer_params: Mapping[str, Any] | None = None,
        augment: AugmentParameter = "auto",
        class_weight: Mapping[Any, float] | str | None = None,
        callbacks: Mapping[str, Mapping[str, Any]] | Sequence[Any] | None = None,
        warm_start: bool = False,
        checkpoint: Checkpoint | None = None,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        tol: float = 1e-4,
        tta: str | None = None,
        engine: str = "keras",
    ) -> None:
        self.architecture = architecture
        self.patch_shape = patch_shape
        self.precision = precision
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.optimizer_params = optimizer_params
        self.augment = augment
        self.class_weight = class_weight
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.verbose = verbose
        self.random_state = random_state
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.tta = tta
        self.engine = engine

    def set_params(self, **params: Any) -> Self:
        """Set the parameters of the classifier and of its components.

        Parameters
        ----------
        **params : dict
            Parameters by name. ``architecture__<name>``, ``augment__<name>`` and
            ``checkpoint__<name>`` set parameters of these components.

        Returns
        -------
        self : PatchCNNClassifier
            The classifier itself.

        Raises
        ------
        ValueError
            If a parameter does not exist, or if the component is not an object with
            parameters, such as a name.
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
            Patches in one of the forms that the class describes.
        y : array-like of shape (n,)
            Labels of any type, with at least two classes. The shape (n, 1, 1, 1) of
            the PatchCamelyon files is accepted too.
        sample_weight : array-like of shape (n,), default=None
            Weights of the patches in the loss. Only their ratios matter. Patches of
            weight zero are ignored.
        groups : array-like of shape (n,), default=None
            The slide or patient of each patch. Early stopping holds out whole groups.
            None uses ``X.groups`` if X is a :class:`PatchArray`.
        X_val : array-like or PatchArray of shape (n_val, height, width, channels), \
                default=None
            Patches for validation after each epoch, instead of a part of X. To
            transform them in a Pipeline, enable metadata routing, call
            ``set_fit_request(X_val=True, y_val=True)``, and create the pipeline with
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
            - If early stopping cannot hold out patches of every class.
            - If numbers are outside [0, 1] and the architecture has pretrained weights.
            - If training diverges before an epoch is complete.
            - If a callback changes the network.
            - With `checkpoint`, if a callback has a state.
        KeyboardInterrupt
            If `fit` is interrupted. The last complete epoch is kept, see the class.
        OSError
            If the folder of `checkpoint` cannot be created.
        RuntimeError
            In a forked process, if TensorFlow was used before the fork.

        Warns
        -----
        UserWarning
            - If the network cannot be stored.
            - If the network has more than 10 million parameters, and most of them are
              in one layer whose size increases with the area of the patches.
            - If numbers that are not rescaled exceed the usual range of scaled images.
            - If a checkpoint cannot be read. Training starts from the first epoch.
        ConvergenceWarning
            If training diverges. The last epoch with finite loss and weights is kept,
            or the best epoch with early stopping.
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

        The learning rate is constant. `epochs` and `learning_rate_schedule` are
        ignored, and callbacks of scikit-learn are not called. No call receives all
        patches. Therefore batch normalisation keeps running statistics with the
        momentum of its layers.

        Parameters
        ----------
        X : array-like or PatchArray of shape (n, height, width, channels)
            Patches in one of the forms that the class describes.
        y : array-like of shape (n,)
            Labels.
        classes : array-like of shape (n_classes,), default=None
            Labels of all classes. Required in the first call.
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
            - If X is not a valid stack of patches.
            - If y contains unknown labels.
            - If X, y or the network do not match the previous calls.
            - If `early_stopping` is True, or `class_weight` is "balanced".
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

        Unlike probabilities, logits do not saturate at 1, so high scores remain
        distinct.

        Parameters
        ----------
        X : array-like or PatchArray of shape (n, height, width, channels)
            Patches in one of the forms that the class describes. Shape and kind of
            numbers must be the same as in `fit`.

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
            - If the shape or the kind of numbers is different from `fit`.
            - If numbers are outside [0, 1] and `needs_pixels_` is True.
            - If the network could not be stored and `architecture` builds another one.
        ImportError
            If the library of `engine` is not installed.
        """
        logits = self._predict_logits(X)
        return logits.ravel() if logits.shape[1] == 1 else logits

    def predict_proba(self, X: ArrayLike | PatchArray) -> np.ndarray:
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : array-like or PatchArray of shape (n, height, width, channels)
            Patches, as for `decision_function`.

        Returns
        -------
        probabilities : ndarray of shape (n, n_classes), float64
            One column for each class, in the order of `classes_`. Rows sum to one.

        Raises
        ------
        NotFittedError, ValueError, ImportError
            In the same cases as `decision_function`.
        """
        return probabilities_of(self._predict_logits(X))

    def predict(self, X: ArrayLike | PatchArray) -> np.ndarray:
        """Return the most probable class of each patch.

        Parameters
        ----------
        X : array-like or PatchArray of shape (n, height, width, channels)
            Patches, as for `decision_function`.

        Returns
        -------
        labels : ndarray of shape (n,)
            Labels from `classes_`.

        Raises
        ------
        NotFittedError, ValueError, ImportError
            In the same cases as `decision_function`.
        """
        logits = with_both_classes(self._predict_logits(X))
        return self.classes_[logits.argmax(axis=1)]

    @property
    def model_(self) -> "keras.Model":
        """A new Keras model with the fitted weights.

        It maps patches of dtype `pixel_dtype_` to probabilities: the probability of
        ``classes_[1]`` for two classes, otherwise one column for each class. It ignores
        `tta`. The architectures of skhisto consist of Keras layers, so a saved model
        can be loaded without skhisto.
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
        # A single assignment, so that an interrupt leaves either the old or the new
        # fit.
        self.__dict__ = others | attributes

    def _views(self) -> Sequence[int]:
        """Return the numbers of the views that are averaged for a prediction."""
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
