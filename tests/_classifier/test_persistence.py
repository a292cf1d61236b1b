import copy
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skhisto import CenterCrop, PatchCNNClassifier, PatchLoader, ReferenceCNN

PUBLIC_TYPES = [
    "skhisto.CenterCrop",
    "skhisto.PatchCNNClassifier",
    "skhisto.PatchLoader",
    "skhisto.ReferenceCNN",
]


def through_skops(estimator):
    return skops.io.loads(skops.io.dumps(estimator), trusted=PUBLIC_TYPES)


ROUND_TRIPS = {
    "pickle": lambda estimator: pickle.loads(pickle.dumps(estimator)),
    "deepcopy": copy.deepcopy,
    "skops": through_skops,
}


@pytest.fixture(scope="module")
def fitted(bright_or_dark):
    X, y, _ = bright_or_dark
    classifier = PatchCNNClassifier(
        architecture=ReferenceCNN(filters=(4,), dense_units=8),
        epochs=2,
        batch_size=16,
        random_state=0,
    )
    y = np.array(["normal", "tumour"])[y]
    return make_pipeline(CenterCrop(10), classifier).fit(X, y)


@pytest.mark.parametrize("through", ROUND_TRIPS)
def test_a_classifier_predicts_the_same_after_a_round_trip(
    fitted, bright_or_dark, through
):
    X = bright_or_dark[0][:, 1:11, 1:11]
    same = ROUND_TRIPS[through](fitted[-1])
    np.testing.assert_array_equal(same.predict_proba(X), fitted[-1].predict_proba(X))
    np.testing.assert_array_equal(same.predict(X), fitted[-1].predict(X))


@pytest.mark.parametrize("through", ROUND_TRIPS)
def test_a_pipeline_predicts_the_same_after_a_round_trip(
    fitted, bright_or_dark, through
):
    X = bright_or_dark[0]
    same = ROUND_TRIPS[through](fitted)
    np.testing.assert_array_equal(same.predict_proba(X), fitted.predict_proba(X))


@pytest.mark.parametrize(
    "y",
    [
        np.array(["b", "a"] * 3),
        np.array(["b", "a"] * 3, dtype=object),
        np.array(["b", "a"] * 3, dtype=np.dtypes.StringDType()),
        np.array([2.0, 1.0] * 3),
        np.array([True, False] * 3),
    ],
)
def test_labels_of_any_type_pass_through_skops(y):
    X = np.random.default_rng(0).normal(size=(6, 4, 4, 1))
    classifier = PatchCNNClassifier(
        architecture=ReferenceCNN(filters=(2,), dense_units=2), epochs=1
    ).fit(X, y)
    labels = through_skops(classifier).predict(X)
    np.testing.assert_array_equal(labels, classifier.predict(X))
    assert set(labels) <= set(y)


def test_skops_loads_without_pickle(fitted, bright_or_dark, monkeypatch):
    saved = skops.io.dumps(fitted)

    def forbidden(*args, **kwargs):
        raise AssertionError("pickle was used")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, forbidden)
    loaded = skops.io.loads(saved, trusted=PUBLIC_TYPES)
    assert loaded.predict(bright_or_dark[0]).shape == (60,)


def test_nothing_but_public_names_needs_trust(fitted):
    pipeline = make_pipeline(PatchLoader(), *(step for _, step in fitted.steps))
    unknown = skops.io.get_untrusted_types(data=skops.io.dumps(pipeline))
    assert sorted(unknown) == PUBLIC_TYPES


def test_another_process_predicts_the_same(fitted, bright_or_dark, tmp_path):
    X = bright_or_dark[0]
    joblib.dump(fitted, tmp_path / "pipeline.joblib")
    skops.io.dump(fitted, tmp_path / "pipeline.skops")
    np.save(tmp_path / "X.npy", X)
    code = f"""
import joblib, numpy as np, skops.io
X = np.load("X.npy")
by_joblib = joblib.load("pipeline.joblib").predict_proba(X)
by_skops = skops.io.load("pipeline.skops", trusted={PUBLIC_TYPES}).predict_proba(X)
np.save("proba.npy", [by_joblib, by_skops])
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    expected = fitted.predict_proba(X)
    for proba in np.load(tmp_path / "proba.npy"):
        np.testing.assert_array_equal(proba, expected)


def test_going_on_after_a_round_trip_equals_going_on_without(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=2, warm_start=True).fit(X, y)
    copies = [ROUND_TRIPS[through](tiny_cnn) for through in ROUND_TRIPS]
    expected = tiny_cnn.fit(X, y).partial_fit(X, y).predict_proba(X)
    for same in copies:
        proba = same.fit(X, y).partial_fit(X, y).predict_proba(X)
        np.testing.assert_array_equal(proba, expected)
        assert same.n_iter_ == 5


def test_a_clone_is_not_fitted(fitted):
    assert not hasattr(clone(fitted[-1]), "weights_")
