"""What scikit-learn's users reach for, on arrays, lazily read patches and paths."""

import numpy as np
import pytest
import sklearn
from PIL import Image
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import RocCurveDisplay
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    StratifiedGroupKFold,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    check_cv,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import Pipeline, make_pipeline

from skhisto import CenterCrop, PatchLoader


@pytest.fixture(scope="module")
def folder(bright_or_dark, tmp_path_factory):
    folder = tmp_path_factory.mktemp("patches")
    for i, patch in enumerate(bright_or_dark[0]):
        Image.fromarray(patch).save(folder / f"{i:02}.tif")
    return folder


@pytest.fixture(params=["array", "PatchArray", "paths"])
def data(request, bright_or_dark, folder):
    """X, y, groups and what turns X into patches, in each form that X can have."""
    X, y, groups = bright_or_dark
    ids = np.array([f"{i:02}" for i in range(60)])
    loader = PatchLoader(root=folder, suffix=".tif", lazy=True)
    if request.param == "array":
        return X, y, groups, []
    if request.param == "PatchArray":
        return loader.transform(ids), y, groups, []
    return ids, y, groups, [loader]


@pytest.fixture
def pipeline(data, tiny_cnn):
    """A Pipeline that ends in a classifier and learns fast."""
    return make_pipeline(*data[3], CenterCrop(10), tiny_cnn)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def test_all_forms_of_input_give_the_same_predictions(
    data, pipeline, bright_or_dark, tiny_cnn
):
    X, y, *_ = data
    on_array = make_pipeline(CenterCrop(10), clone(tiny_cnn)).fit(*bright_or_dark[:2])
    expected = on_array.predict_proba(bright_or_dark[0])
    np.testing.assert_array_equal(pipeline.fit(X, y).predict_proba(X), expected)


def test_cross_validate_chooses_stratified_folds(data, pipeline):
    X, y, *_ = data
    assert is_classifier(pipeline)
    assert isinstance(
        check_cv(3, y, classifier=is_classifier(pipeline)), StratifiedKFold
    )
    in_order = np.argsort(y)  # folds that are not stratified would have one class
    scores = cross_validate(pipeline, X[in_order], y[in_order], cv=3, scoring="roc_auc")
    assert scores["test_score"].min() > 0.9


@pytest.mark.usefixtures("routing")
def test_groups_reach_folds_and_early_stopping_when_routed(data, pipeline, monkeypatch):
    X, y, groups, _ = data
    pipeline[-1].set_params(early_stopping=True, epochs=2, validation_fraction=0.3)
    seen = []
    from skhisto._data.training_data import validation_split

    def split(target, groups, fraction, seed):
        seen.append(groups)
        return validation_split(target, groups, fraction, seed)

    monkeypatch.setattr("skhisto._data.training_data.validation_split", split)
    folds = StratifiedGroupKFold(2)
    cross_validate(
        pipeline, X, y, cv=folds, params={"groups": groups}, error_score="raise"
    )
    for (train, _), routed in zip(folds.split(X, y, groups), seen, strict=True):
        np.testing.assert_array_equal(routed, groups[train])


def test_without_routing_groups_reach_the_folds_only(data, pipeline, monkeypatch):
    X, y, groups, _ = data
    pipeline[-1].set_params(epochs=1, early_stopping=True, validation_fraction=0.3)
    seen = []
    from skhisto._data.training_data import validation_split

    def split(target, groups, fraction, seed):
        seen.append(groups)
        return validation_split(target, groups, fraction, seed)

    monkeypatch.setattr("skhisto._data.training_data.validation_split", split)
    search = GridSearchCV(
        pipeline, {"patchcnnclassifier__batch_size": [16]}, cv=StratifiedGroupKFold(2)
    )
    assert hasattr(search.fit(X, y, groups=groups), "best_estimator_")
    assert seen == [None] * 3


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_grid_search_tunes_crop_and_learning_rate(data, pipeline, n_jobs):
    X, y, *_ = data
    search = GridSearchCV(
        pipeline,
        {
            "centercrop__size": [8, 10],
            "patchcnnclassifier__learning_rate": [1e-9, 0.01],
        },
        cv=2,
        n_jobs=n_jobs,
        error_score="raise",
    ).fit(X, y)
    assert search.best_params_["patchcnnclassifier__learning_rate"] == 0.01
    assert search.best_score_ > 0.9
    assert search.predict(X).shape == (60,)


def test_halving_grid_search_spends_epochs(data, pipeline):
    X, y, *_ = data
    search = HalvingGridSearchCV(
        pipeline,
        {"patchcnnclassifier__learning_rate": [1e-9, 0.01]},
        resource="patchcnnclassifier__epochs",
        min_resources=2,
        max_resources=8,
        factor=2,
        cv=2,
        random_state=0,
    ).fit(X, y)
    assert search.best_params_["patchcnnclassifier__learning_rate"] == 0.01
    assert search.n_resources_[0] == 2


def test_calibration_works(data, pipeline):
    X, y, *_ = data
    proba = CalibratedClassifierCV(pipeline, cv=2).fit(X, y).predict_proba(X)
    assert proba.shape == (60, 2)
    assert ((proba[:, 1] > 0.5) == y).mean() > 0.9


def test_threshold_tuning_works(data, pipeline):
    X, y, *_ = data
    tuned = TunedThresholdClassifierCV(pipeline, cv=2, scoring="balanced_accuracy")
    assert tuned.fit(X, y).score(X, y) > 0.9


def test_voting_works(data, pipeline):
    X, y, *_ = data
    voting = VotingClassifier([("a", pipeline), ("b", clone(pipeline))], voting="soft")
    assert voting.fit(X, y).score(X, y) > 0.9


def test_stacking_works(data, pipeline):
    X, y, *_ = data
    stacking = StackingClassifier([("cnn", pipeline)], LogisticRegression(), cv=2)
    assert stacking.fit(X, y).score(X, y) > 0.9


def test_roc_curve_display_works(data, pipeline):
    X, y, *_ = data
    display = RocCurveDisplay.from_estimator(pipeline.fit(X, y), X, y)
    assert np.max(display.roc_auc) > 0.9


def test_learning_curve_works(data, pipeline):
    X, y, *_ = data
    pipeline[-1].set_params(epochs=1)
    sizes, train, test = learning_curve(
        pipeline, X, y, cv=2, train_sizes=[0.5, 1.0], shuffle=True, random_state=0
    )
    assert list(sizes) == [15, 30]
    assert np.isfinite(train).all()
    assert np.isfinite(test).all()


def test_pandas_output_does_no_harm(data, pipeline):
    X, y, *_ = data
    pipeline[-1].set_params(epochs=1)
    expected = clone(pipeline).fit(X, y).predict_proba(X)
    with sklearn.config_context(transform_output="pandas"):
        np.testing.assert_array_equal(pipeline.fit(X, y).predict_proba(X), expected)


def test_fitting_twice_gives_the_same(data, pipeline):
    X, y, *_ = data
    pipeline[-1].set_params(epochs=2)
    once = pipeline.fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(pipeline.fit(X, y).predict_proba(X), once)


def test_subsets_and_orders_are_predicted_alike(data, pipeline):
    X, y, *_ = data
    pipeline[-1].set_params(epochs=1)
    proba = pipeline.fit(X, y).predict_proba(X)
    rows = np.random.default_rng(0).permutation(60)[:17]
    np.testing.assert_array_equal(pipeline.predict_proba(X[rows]), proba[rows])


def test_read_only_input_is_accepted_and_no_input_is_changed(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    X, y, weight = X.copy(), y.copy(), np.linspace(1, 2, 60)
    given = [X.copy(), y.copy(), weight.copy()]
    for array in (X, y, weight):
        array.flags.writeable = False
    tiny_cnn.set_params(epochs=1).fit(X, y, sample_weight=weight).predict(X)
    for array, copy in zip((X, y, weight), given, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.usefixtures("routing")
def test_a_pipeline_transforms_validation_patches(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=1).set_fit_request(X_val=True, y_val=True)
    steps = [("crop", CenterCrop(10)), ("cnn", tiny_cnn)]
    pipeline = Pipeline(steps, transform_input=["X_val"])
    pipeline.fit(X, y, X_val=X, y_val=y)
    assert pipeline["cnn"].history_["val_accuracy"] == [pipeline.score(X, y)]


def test_metadata_routing_requests_groups_by_default(tiny_cnn):
    requests = tiny_cnn.get_metadata_routing().fit.requests
    assert requests["groups"] is True
    assert requests["sample_weight"] is None
