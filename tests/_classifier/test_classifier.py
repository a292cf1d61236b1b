import re
import tracemalloc

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_class_weight

from skhisto import PatchArray, PatchCNNClassifier, ReferenceCNN


def assert_same_weights(one, other):
    assert len(one.weights_) == len(other.weights_)
    for weight, same in zip(
        one.weights_.values(), other.weights_.values(), strict=True
    ):
        np.testing.assert_array_equal(weight, same)


class ArraySource:
    """Patches of an array in memory."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def read(self, rows, window):
        return self.array[rows][:, window[0], window[1]]


def fitted_attributes(classifier):
    return {k for k in vars(classifier) if k.endswith("_") and not k.startswith("_")}


def test_it_learns_what_is_easy(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.fit(X[:40], y[:40])
    assert tiny_cnn.score(X[40:], y[40:]) > 0.9


def test_the_fitted_attributes_are_plain_data(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.fit(X, y)
    assert fitted_attributes(tiny_cnn) == {
        "batch_size_",
        "best_epoch_",
        "classes_",
        "history_",
        "layers_",
        "n_features_in_",
        "n_iter_",
        "needs_pixels_",
        "network_config_",
        "network_hash_",
        "patch_shape_",
        "pixel_dtype_",
        "precision_",
        "value_range_",
        "weights_",
    }
    assert tiny_cnn.patch_shape_ == (12, 12, 3)
    assert tiny_cnn.pixel_dtype_ == "uint8"
    assert tiny_cnn.n_features_in_ == 12 * 12 * 3
    assert tiny_cnn.n_iter_ == 8
    assert tiny_cnn.batch_size_ == 16
    assert isinstance(tiny_cnn.network_config_, str)
    assert tiny_cnn.network_hash_ is None
    assert tiny_cnn.value_range_ is None
    assert {type(value) for value in tiny_cnn.weights_.values()} == {np.ndarray}
    assert set(tiny_cnn.history_) == {"loss", "accuracy"}
    assert [len(values) for values in tiny_cnn.history_.values()] == [8, 8]
    assert tiny_cnn.history_["loss"][-1] < tiny_cnn.history_["loss"][0]
    plain = {type(value) for value in vars(tiny_cnn).values()}
    assert not any(kind.__module__.startswith("keras") for kind in plain)


def test_probabilities_labels_and_logits_agree(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=2).fit(X, np.array(["normal", "tumour"])[y])
    logits, proba = tiny_cnn.decision_function(X), tiny_cnn.predict_proba(X)
    assert logits.shape == (60,)
    np.testing.assert_allclose(proba[:, 1], 1 / (1 + np.exp(-logits)), rtol=1e-5)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-6)
    expected = tiny_cnn.classes_[proba.argmax(axis=1)]
    np.testing.assert_array_equal(tiny_cnn.predict(X), expected)
    assert list(tiny_cnn.classes_) == ["normal", "tumour"]


def test_more_than_two_classes_have_a_column_each(tiny_cnn, bright_or_dark):
    X, _, _ = bright_or_dark
    y = np.array(["c", "a", "b"])[np.arange(60) % 3]
    tiny_cnn.set_params(epochs=1).fit(X, y)
    logits, proba = tiny_cnn.decision_function(X), tiny_cnn.predict_proba(X)
    assert logits.shape == proba.shape == (60, 3)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-6)
    expected = tiny_cnn.classes_[logits.argmax(axis=1)]
    np.testing.assert_array_equal(tiny_cnn.predict(X), expected)


def test_logits_do_not_tie_where_probabilities_saturate(bright_or_dark):
    X, y, _ = bright_or_dark
    classifier = PatchCNNClassifier(architecture=steep_model, epochs=1, random_state=0)
    classifier.fit(X, y)
    assert len(np.unique(classifier.predict_proba(X)[:, 1])) < 10
    assert len(np.unique(classifier.decision_function(X))) > 50


def steep_model(patch_shape, n_outputs):
    layers = keras.layers
    return keras.Sequential(
        [layers.Flatten(), layers.Dense(n_outputs, kernel_initializer="ones")]
    )


@pytest.mark.parametrize("size", [1, 2, 32])
def test_small_patches_work(size):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (8, size, size, 3), dtype=np.uint8)
    classifier = PatchCNNClassifier(
        architecture=ReferenceCNN(filters=(2, 2, 2), dense_units=2),
        epochs=1,
        random_state=0,
    )
    assert classifier.fit(X, np.arange(8) % 2).predict(X).shape == (8,)


def test_flat_rows_and_images_are_interchangeable(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    flat = X.reshape(60, -1)
    tiny_cnn.set_params(epochs=2)
    on_images = clone(tiny_cnn).fit(X, y)
    on_rows = clone(tiny_cnn).fit(flat, y)
    assert_same_weights(on_images, on_rows)
    expected = on_images.predict_proba(X)
    np.testing.assert_array_equal(on_images.predict_proba(flat), expected)
    np.testing.assert_array_equal(on_rows.predict_proba(X), expected)
    np.testing.assert_array_equal(on_rows.predict_proba(list(X)), expected)


def test_integer_images_in_uint8_are_not_the_same_numbers_as_floats(
    tiny_cnn, bright_or_dark
):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=1).fit(X, y)
    with pytest.raises(ValueError, match=r"dtype float64.* fitted on 8-bit pixels"):
        tiny_cnn.predict(X / 255)


def test_uint16_pixels_are_pixels(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    in_8_bits = tiny_cnn.fit(X, y).predict_proba(X)
    # The same weights on the same pixels, stored in 16 bits.
    tiny_cnn.pixel_dtype_ = "uint16"
    in_16_bits = tiny_cnn.predict_proba(X.astype(np.uint16) * 257)
    np.testing.assert_allclose(in_16_bits, in_8_bits, atol=1e-5)


def test_rows_of_weight_zero_are_as_if_removed(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=2)
    weight = np.where(np.arange(60) % 5 == 0, 0.0, 1.0)
    weighted = clone(tiny_cnn).fit(X, y, sample_weight=weight)
    removed = clone(tiny_cnn).fit(X[weight > 0], y[weight > 0])
    assert_same_weights(weighted, removed)


def test_only_ratios_of_weights_matter(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=2)
    weight = np.where(y == 1, 2.0, 1.0)
    one = clone(tiny_cnn).fit(X, y, sample_weight=weight)
    other = clone(tiny_cnn).fit(X, y, sample_weight=weight / 1024)
    assert_same_weights(one, other)


def test_class_weights_are_sample_weights(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    X, y = X[:45], np.where(np.arange(45) < 15, 1, 0)
    tiny_cnn.set_params(epochs=2)
    balanced = compute_class_weight("balanced", classes=np.array([0, 1]), y=y)
    by_name = clone(tiny_cnn).set_params(class_weight="balanced").fit(X, y)
    by_dict = clone(tiny_cnn).set_params(class_weight=dict(enumerate(balanced)))
    by_sample = clone(tiny_cnn).fit(X, y, sample_weight=balanced[y])
    assert_same_weights(by_name, by_dict.fit(X, y))
    assert_same_weights(by_name, by_sample)


def test_weights_given_by_the_caller_are_not_changed(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    weight = np.linspace(0.5, 1, 60)
    given = weight.copy()
    tiny_cnn.set_params(epochs=1, class_weight="balanced").fit(
        X, y, sample_weight=weight
    )
    np.testing.assert_array_equal(weight, given)


def test_a_network_without_batch_norm_does_not_see_the_rows_that_fill_a_batch(
    bright_or_dark,
):
    # The second batch has four rows and is filled up to six.
    X, y, _ = bright_or_dark
    X = X[:10] / 255
    classifier = PatchCNNClassifier(
        architecture=steep_model,
        optimizer="sgd",
        epochs=1,
        batch_size=6,
        learning_rate=1e-3,
        augment=None,
        random_state=0,
    )
    classifier.fit(X, y[:10])
    kernel = np.ones(X[0].size)
    order = np.random.default_rng([classifier._draw_seed(), 0]).permutation(10)
    bias = 0.0
    for rows in (order[:6], order[6:]):
        flat = X[rows].reshape(len(rows), -1).astype(np.float32)
        error = 1 / (1 + np.exp(-(flat @ kernel + bias))) - y[rows]
        kernel -= 1e-3 * (error @ flat) / len(rows)
        bias -= 1e-3 * error.mean()
    trained = next(iter(classifier.weights_.values())).ravel()
    np.testing.assert_allclose(trained, kernel, rtol=1e-5)


def test_early_stopping_keeps_the_best_epoch(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(early_stopping=True, n_iter_no_change=2, epochs=30)
    # The more it learns, the more it is wrong on these.
    wrong = {"X_val": X, "y_val": 1 - y}
    tiny_cnn.fit(X, y, **wrong)
    losses = tiny_cnn.history_["val_loss"]
    assert tiny_cnn.n_iter_ == len(losses) < 30
    assert np.argmin(losses) < len(losses) - 1
    best = clone(tiny_cnn).set_params(
        epochs=int(np.argmin(losses)) + 1, n_iter_no_change=99
    )
    assert_same_weights(tiny_cnn, best.fit(X, y, **wrong))


def test_parameters_of_the_architecture_reach_the_network(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    parameters = {"architecture__filters": (3, 5), "architecture__dense_dropout": 0.2}
    tiny_cnn.set_params(epochs=1, **parameters).fit(X, y)
    layers = {layer.name: layer for layer in tiny_cnn.model_.layers}
    assert layers["block1_conv1"].filters == 3
    assert layers["block2_conv2"].filters == 5
    assert layers["dense_dropout"].rate == 0.2


def test_the_initial_weights_depend_on_the_seed(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=1, learning_rate=1e-12)
    one, other = (
        next(iter(tiny_cnn.set_params(random_state=seed).fit(X, y).weights_.values()))
        for seed in (0, 1)
    )
    assert np.abs(one - other).max() > 0.01


def test_numpy_numbers_are_valid_parameters(bright_or_dark):
    X, y, _ = bright_or_dark
    classifier = PatchCNNClassifier(
        architecture=ReferenceCNN(
            filters=np.array([2, 2]),
            kernel_size=np.int64(3),
            dense_units=np.int64(2),
            conv_dropout=np.float64(0.1),
        ),
        epochs=np.int64(1),
        batch_size=np.int64(32),
    )
    assert classifier.fit(X, y).n_iter_ == 1


def test_history_has_a_value_for_every_epoch(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=1, warm_start=True).fit(X, y)
    tiny_cnn.fit(X, y, X_val=X, y_val=y).partial_fit(X, y)
    assert np.isfinite(tiny_cnn.history_["loss"]).tolist() == [True, True, True]
    assert np.isfinite(tiny_cnn.history_["val_loss"]).tolist() == [False, True, False]


def test_early_stopping_and_zero_weights_copy_no_patches(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    X = np.repeat(X, 400, axis=0)  # 10 MB
    y = np.repeat(y, 400)
    tiny_cnn.set_params(epochs=1, early_stopping=True, batch_size=512, augment=None)
    tiny_cnn.fit(X[:600], y[:600])  # compiled networks stay
    tracemalloc.start()
    tiny_cnn.fit(X, y, sample_weight=np.r_[0.0, np.ones(len(y) - 1)])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Batches, and some numbers for each row, which are small as patches are larger.
    assert peak < 0.4 * X.nbytes


def test_early_stopping_sets_whole_groups_aside(tiny_cnn, bright_or_dark):
    X, y, groups = bright_or_dark
    group_of = {patch.tobytes(): group for patch, group in zip(X, groups, strict=True)}
    tiny_cnn.set_params(early_stopping=True, epochs=1, validation_fraction=0.3)

    def patches_of_each_group_trained_on(groups):
        trained_on = []

        def record(patches, rng):
            trained_on.extend(group_of[patch.tobytes()] for patch in patches)
            return patches

        classifier = clone(tiny_cnn).set_params(augment=record, batch_size=2)
        classifier.fit(X, y, groups=groups)
        return sorted(np.bincount(trained_on, minlength=6).tolist())

    assert patches_of_each_group_trained_on(groups) == [0, 0, 10, 10, 10, 10]
    of_random_patches = patches_of_each_group_trained_on(None)
    assert sum(of_random_patches) == 42
    assert of_random_patches[0] > 0

    single_patches = np.arange(len(X))
    X = PatchArray(ArraySource(X), groups=groups)
    assert patches_of_each_group_trained_on(None) == [0, 0, 10, 10, 10, 10]
    assert patches_of_each_group_trained_on(single_patches)[0] > 0


def test_validation_patches_can_be_given(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=2)
    without = clone(tiny_cnn).fit(X[:40], y[:40])
    tiny_cnn.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
    assert set(tiny_cnn.history_) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert_same_weights(tiny_cnn, without)
    proba = tiny_cnn.predict_proba(X[40:])[np.arange(20), y[40:]]
    assert tiny_cnn.history_["val_loss"][-1] == pytest.approx(
        -np.log(proba).mean(), rel=1e-4
    )
    assert tiny_cnn.history_["val_accuracy"][-1] == tiny_cnn.score(X[40:], y[40:])


def test_weights_of_validation_patches_count(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    weight = np.r_[np.ones(5), np.zeros(15)]
    tiny_cnn.set_params(epochs=1).fit(
        X[:40], y[:40], X_val=X[40:], y_val=y[40:], sample_weight_val=weight
    )
    expected = tiny_cnn.score(X[40:45], y[40:45])
    assert tiny_cnn.history_["val_accuracy"][-1] == pytest.approx(expected)


def test_warm_start_goes_on_where_the_former_fit_ended(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    at_once = clone(tiny_cnn).set_params(epochs=5).fit(X, y)
    in_parts = clone(tiny_cnn).set_params(warm_start=True, epochs=2).fit(X, y)
    in_parts.set_params(epochs=3).fit(X, y)
    assert_same_weights(at_once, in_parts)
    assert in_parts.n_iter_ == 5
    assert in_parts.history_ == at_once.history_


def test_a_cold_start_forgets_the_former_fit(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=1)
    cold = clone(tiny_cnn).partial_fit(X, 1 - y, classes=[0, 1]).fit(X, y)
    assert_same_weights(cold, clone(tiny_cnn).fit(X, y))
    assert not hasattr(cold, "optimizer_state_")
    assert cold.n_iter_ == 1


def test_partial_fit_is_an_epoch(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    for _ in range(3):
        tiny_cnn.partial_fit(X, y, classes=[0, 1])
    fitted = clone(tiny_cnn).set_params(epochs=3).fit(X, y)
    assert tiny_cnn.n_iter_ == 3
    for name, weight in tiny_cnn.weights_.items():
        if "moving" not in name:  # only fit measures statistics anew
            np.testing.assert_array_equal(weight, fitted.weights_[name])


def test_a_small_chunk_does_not_ruin_predictions(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.fit(X, y)
    assert tiny_cnn.score(X, y) == 1
    tiny_cnn.set_params(learning_rate=1e-8).partial_fit(X[:1], y[:1])
    assert tiny_cnn.score(X, y) > 0.9


def test_predictions_after_few_steps_are_sure_of_what_was_learned(bright_or_dark):
    X, y, _ = bright_or_dark
    losses = []
    for seed in range(3):
        clf = PatchCNNClassifier(
            architecture=ReferenceCNN(filters=(4, 8), dense_units=16),
            epochs=1,
            learning_rate=0.01,
            random_state=seed,
        )
        losses.append(log_loss(y, clf.fit(X, y).predict_proba(X)))
    # With running statistics, which know dropout and former weights, it is 0.55.
    assert np.mean(losses) < 0.35


def test_partial_fit_takes_weights(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    plain = clone(tiny_cnn).partial_fit(X, y, classes=[0, 1])
    weight = np.where(y == 1, 5.0, 1.0)
    by_sample = clone(tiny_cnn)
    by_sample.partial_fit(X, y, classes=[0, 1], sample_weight=weight)
    by_class = clone(tiny_cnn).set_params(class_weight={1: 5.0})
    assert_same_weights(by_sample, by_class.partial_fit(X, y, classes=[0, 1]))
    assert plain.history_["loss"] != by_sample.history_["loss"]


def test_class_weights_count_in_validation(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=1, class_weight={0: 0.25, 1: 1.0})
    tiny_cnn.fit(X, y, X_val=X, y_val=y)
    expected = tiny_cnn.score(X, y, sample_weight=np.where(y == 1, 1.0, 0.25))
    assert tiny_cnn.history_["val_accuracy"][0] == pytest.approx(expected)


def test_partial_fit_may_meet_a_class_later(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.partial_fit(X[y == 0], y[y == 0], classes=[0, 1, 2])
    tiny_cnn.partial_fit(X[y == 1], y[y == 1])
    assert tiny_cnn.predict_proba(X).shape == (60, 3)


def test_warm_start_with_another_optimizer_starts_it_anew(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(warm_start=True, epochs=1).fit(X, y)
    # The state of this one has the same shapes.
    tiny_cnn.set_params(optimizer="adamax").fit(X, y)
    assert {name.split("/")[0] for name in tiny_cnn.optimizer_state_} == {"adamax"}
    assert tiny_cnn.optimizer_state_["adamax/iteration"] == 4


def test_a_function_that_builds_a_network_can_be_given(bright_or_dark):
    X, y, _ = bright_or_dark
    classifier = PatchCNNClassifier(architecture=mobile_net, epochs=1, random_state=0)
    proba = classifier.fit(X[:8], y[:8]).predict_proba(X[:8])
    again = clone(classifier).fit(X[:8], y[:8]).predict_proba(X[:8])
    np.testing.assert_array_equal(proba, again)


def mobile_net(patch_shape, n_outputs):
    backbone = keras.applications.MobileNet(
        weights=None,
        include_top=False,
        input_shape=(32, 32, 3),
        alpha=0.25,
        pooling="avg",
    )
    layers = keras.layers
    return keras.Sequential(
        [layers.Resizing(32, 32), backbone, layers.Dense(n_outputs)]
    )


def test_the_live_model_is_of_stock_layers_and_loads_without_skhisto(
    tiny_cnn, bright_or_dark, tmp_path
):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=2).fit(X, y)
    model = tiny_cnn.model_
    assert {type(layer).__module__.split(".")[0] for layer in model.layers} == {"keras"}
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    expected = tiny_cnn.predict_proba(X)[:, 1]
    np.testing.assert_allclose(loaded.predict(X, verbose=0)[:, 0], expected, atol=1e-6)


def test_changing_the_live_model_does_not_change_the_classifier(
    tiny_cnn, bright_or_dark
):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=1).fit(X, y)
    expected = tiny_cnn.predict_proba(X)
    model = tiny_cnn.model_
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    np.testing.assert_array_equal(tiny_cnn.predict_proba(X), expected)


def test_there_is_no_live_model_before_fit():
    with pytest.raises(NotFittedError):
        _ = PatchCNNClassifier().model_


@pytest.mark.parametrize(
    ("params", "y", "fit_params", "message"),
    [
        ({}, np.zeros(60), {}, "at least 2 classes, .* only one class .*: 0.0"),
        ({}, None, {}, "requires y to be passed"),
        ({}, np.arange(59), {}, "inconsistent numbers of samples"),
        ({}, np.linspace(0, 1, 60), {}, "Unknown label type: continuous"),
        ({}, 1, {"sample_weight": np.zeros(60)}, "at least one non-zero number"),
        ({"class_weight": {0: 0, 1: 0}}, 1, {}, "All samples have weight zero"),
        ({}, 1, {"sample_weight": -np.ones(60)}, "Negative values"),
        ({}, 1, {"sample_weight": np.ones(3)}, r"sample_weight.shape == \(3,\)"),
        ({}, 1, {"groups": np.ones(3)}, r"groups must have shape .* got \(3,\)"),
        ({}, 1, {"y_val": [1]}, "X_val and y_val must be given together"),
        ({}, 1, {"X_val": np.zeros((1, 9, 9, 3), np.uint8), "y_val": [1]}, r"shape \(9, 9, 3\)"),
        ({}, 1, {"X_val": np.zeros((1, 12, 12, 3)), "y_val": [1]}, "numbers that are not rescaled"),
        ({}, 1, {"X_val": np.zeros((1, 12, 12, 3), np.uint8), "y_val": [7]}, "not in the classes"),
        ({"optimizer": "adm"}, 1, {}, "'adm' is not the name of a Keras optimizer"),
        ({"optimizer_params": {"learning_rate": 1}}, 1, {}, "must not contain learning_rate"),
        ({"optimizer_params": {"use_ema": True}}, 1, {}, "must not contain use_ema"),
        ({"callbacks": ["None"]}, 1, {}, "'None', which is not the name of a Keras"),
        ({"class_weight": {7: 1.0}}, 1, {}, r"labels \[7\], which are not in the cl"),
        ({"class_weight": {0: -1}}, 1, {}, "weight of 0 is -1"),
        ({}, 1, {"sample_weight_val": [1.0]}, "sample_weight_val requires X_val"),
        ({}, 1, {"groups": [None] * 60}, "60 of 60 groups are None or NaN"),
        ({}, 1, {"X_val": np.zeros((1, 12, 12, 3), np.uint8), "y_val": [1], "sample_weight_val": [1, 2]}, "In X_val, y_val or sample_weight_val"),
        ({"verbose": 3}, 1, {}, "'verbose' parameter"),
        ({"learning_rate": 0.0}, 1, {}, "'learning_rate' parameter"),
        ({"learning_rate": 1e30, "optimizer": "sgd"}, 1, {}, "Training has diverged: after epoch 1"),
    ],
)  # fmt: skip
def test_bad_input_to_fit_is_one_clear_error(
    tiny_cnn, bright_or_dark, params, y, fit_params, message
):
    X, labels, _ = bright_or_dark
    if isinstance(y, int):
        y = labels
    tiny_cnn.set_params(epochs=2, **params)
    with pytest.raises(ValueError, match=message):
        tiny_cnn.fit(X, y, **fit_params)
    assert fitted_attributes(tiny_cnn) == set()


def test_a_fit_that_fails_leaves_the_former_fit_as_it_was(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=1).fit(X, y)
    expected = tiny_cnn.predict_proba(X)
    with pytest.raises(ValueError, match="one class"):
        tiny_cnn.fit(X[:, :6], np.zeros(60))
    np.testing.assert_array_equal(tiny_cnn.predict_proba(X), expected)


@pytest.mark.parametrize(
    ("params", "kwargs", "message"),
    [
        ({}, {}, "classes must be passed on the first call to partial_fit"),
        ({}, {"classes": [0]}, "classes must contain at least 2 labels; got"),
        ({}, {"classes": [0, 2]}, re.escape("not in the classes [0 2]: [1]")),
        (
            {"early_stopping": True},
            {"classes": [0, 1]},
            "does not support early_stopping",
        ),
        (
            {"class_weight": "balanced"},
            {"classes": [0, 1]},
            "does not support class_weight",
        ),
    ],
)
def test_bad_input_to_a_first_partial_fit_is_one_clear_error(
    tiny_cnn, bright_or_dark, params, kwargs, message
):
    X, y, _ = bright_or_dark
    with pytest.raises(ValueError, match=message):
        tiny_cnn.set_params(**params).partial_fit(X, y, **kwargs)
    assert fitted_attributes(tiny_cnn) == set()


def test_partial_fit_takes_no_new_classes(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match=r"classes=\[0 1 2\], but .* classes \[0 1\]"):
        tiny_cnn.partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"not in the classes \[0 1\]: \[2\]"):
        tiny_cnn.partial_fit(X, np.full(60, 2))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (
            np.zeros((2, 9, 9, 3), np.uint8),
            r"shape \(9, 9, 3\), but the expected shape is \(12, 12, 3\)",
        ),
        (
            np.zeros((2, 5), np.uint8),
            "X has 5 features, but PatchCNNClassifier is expecting 432",
        ),
        (np.zeros((12, 12, 3), np.uint8), r"X\[np.newaxis\]"),
        (np.zeros((0, 12, 12, 3), np.uint8), "At least 1 patch is required"),
    ],
)
def test_bad_input_to_predict_is_one_clear_error(tiny_cnn, bright_or_dark, X, message):
    tiny_cnn.set_params(epochs=1).fit(*bright_or_dark[:2])
    with pytest.raises(ValueError, match=message):
        tiny_cnn.predict(X)


def test_predicting_before_fit_is_an_error(bright_or_dark):
    for method in ("predict", "predict_proba", "decision_function"):
        with pytest.raises(NotFittedError):
            getattr(PatchCNNClassifier(), method)(bright_or_dark[0])
