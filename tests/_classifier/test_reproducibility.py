import os
import random
import subprocess
import sys

import joblib
import keras
import numpy as np
import pytest
from sklearn.base import clone

from skhisto import ReferenceCNN
from skhisto._keras.pool import POOL

# As a script: weights and probabilities of cross-validated fits, in one thread each.
SCRIPT = """
import sys
import numpy as np
from sklearn.base import clone
from sklearn.model_selection import cross_validate
from skhisto import PatchCNNClassifier, ReferenceCNN

rng = np.random.default_rng(0)
y = np.arange(40) % 2
X = (rng.integers(0, 120, (40, 12, 12, 3)) + 120 * y[:, None, None, None]).astype(np.uint8)
classifier = PatchCNNClassifier(
    architecture=ReferenceCNN(filters=(4,), dense_units=8),
    epochs=2,
    batch_size=16,
    random_state=0,
)
results = cross_validate(
    classifier, X, y, cv=2, n_jobs=int(sys.argv[1]), return_estimator=True
)
fits = [*results["estimator"], clone(classifier).fit(X, y)]
values = [v.ravel() for fit in fits for v in (*fit.weights_.values(), fit.predict_proba(X))]
np.save(sys.argv[2], np.concatenate(values))
"""


def run_script(tmp_path, n_jobs, name):
    subprocess.run(
        [sys.executable, "-c", SCRIPT, str(n_jobs), name],
        cwd=tmp_path,
        check=True,
        env=os.environ | {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"},
    )
    return np.load(tmp_path / name)


def weights(classifier):
    return np.concatenate([w.ravel() for w in classifier.weights_.values()])


def test_the_same_seed_gives_the_same_weights_in_a_process(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    one, again, other = (
        weights(clone(tiny_cnn).set_params(epochs=2, random_state=seed).fit(X, y))
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_a_pooled_network_gives_the_same_weights_as_a_new_one(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=2, callbacks={"ReduceLROnPlateau": {"monitor": "loss"}})
    pooled = weights(clone(tiny_cnn).fit(X, y))
    POOL._idle.clear()
    np.testing.assert_array_equal(weights(clone(tiny_cnn).fit(X, y)), pooled)


def test_other_processes_and_parallel_workers_give_the_same_weights(tmp_path):
    alone = run_script(tmp_path, 1, "alone.npy")
    in_workers = run_script(tmp_path, 2, "workers.npy")
    np.testing.assert_array_equal(alone, in_workers)


def test_threads_that_fit_at_the_same_time_give_the_same_weights(
    tiny_cnn, bright_or_dark
):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=2)
    alone = [
        weights(clone(tiny_cnn).set_params(random_state=seed).fit(X, y))
        for seed in range(4)
    ]
    together = joblib.Parallel(n_jobs=4, prefer="threads")(
        joblib.delayed(clone(tiny_cnn).set_params(random_state=seed).fit)(X, y)
        for seed in range(4)
    )
    for classifier, expected in zip(together, alone, strict=True):
        np.testing.assert_array_equal(weights(classifier), expected)


def test_threads_that_fit_and_predict_different_estimators_give_the_serial_results(
    tiny_cnn, bright_or_dark
):
    X, y, _ = bright_or_dark
    other = ReferenceCNN(filters=(2,), dense_units=4)

    def fit_and_predict(architecture):
        classifier = clone(tiny_cnn).set_params(epochs=2, architecture=architecture)
        classifier.fit(X, y)
        return [classifier.predict_proba(X[i:]) for i in range(3)]

    def repeat(architecture):
        return [fit_and_predict(architecture) for _ in range(2)]

    serial = [repeat(tiny_cnn.architecture), repeat(other)]
    together = joblib.Parallel(n_jobs=2, prefer="threads")(
        joblib.delayed(repeat)(a) for a in (tiny_cnn.architecture, other)
    )
    for estimator in range(2):
        for i in range(2):
            for found, expected in zip(
                together[estimator][i], serial[estimator][i], strict=True
            ):
                np.testing.assert_array_equal(found, expected)


def test_a_generator_is_drawn_from_once_per_fit(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    rng = np.random.RandomState(0)
    tiny_cnn.set_params(epochs=1, random_state=rng)
    first, second = weights(tiny_cnn.fit(X, y)), weights(tiny_cnn.fit(X, y))
    assert not np.array_equal(first, second)
    tiny_cnn.set_params(random_state=np.random.RandomState(0))
    np.testing.assert_array_equal(weights(tiny_cnn.fit(X, y)), first)


def test_with_an_int_no_global_generator_is_touched(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    POOL._idle.clear()
    keras.utils.set_random_seed(0)
    numpy_state, python_state = np.random.get_state()[1].copy(), random.getstate()
    expected = keras.random.normal((3,)).numpy()
    keras.utils.set_random_seed(0)
    tiny_cnn.set_params(epochs=1, early_stopping=True).fit(X, y).predict(X)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)
    assert random.getstate() == python_state
    np.testing.assert_array_equal(keras.random.normal((3,)), expected)


def test_without_a_seed_numpys_global_generator_decides(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=1, random_state=None)
    np.random.seed(3)
    one = weights(tiny_cnn.fit(X, y))
    np.random.seed(3)
    np.testing.assert_array_equal(weights(tiny_cnn.fit(X, y)), one)


def test_determinism_is_not_switched_on_for_the_process(tiny_cnn, bright_or_dark):
    from tensorflow.python.framework import config

    X, y, _ = bright_or_dark
    before = dict(os.environ)
    tiny_cnn.set_params(epochs=1).fit(X, y)
    assert not config.is_op_determinism_enabled()
    assert dict(os.environ) == before


@pytest.mark.parametrize("rows", [[7], [59, 0, 30], range(50)])
def test_predictions_do_not_depend_on_what_else_is_predicted(
    tiny_cnn, bright_or_dark, rows
):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=1).fit(X, y)
    rows = list(rows)
    expected = tiny_cnn.predict_proba(X)[rows]
    np.testing.assert_array_equal(tiny_cnn.predict_proba(X[rows]), expected)
