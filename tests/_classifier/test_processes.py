"""What shows only in a process of its own: first fits, forks, graph mode."""

import subprocess
import sys
import textwrap

import pytest

PREPARED = """
import keras, numpy as np, pickle, sys
from keras import layers
from skhisto import PatchCNNClassifier, ReferenceCNN, make_patches

X, y = make_patches(24, size=12, random_state=0)

def scaled(patch_shape, n_outputs):
    return keras.Sequential(
        [layers.Rescaling(2.0), layers.Flatten(), layers.Dense(n_outputs)]
    )

def classifier(**params):
    settings = {"epochs": 1, "augment": None, "random_state": 0}
    return PatchCNNClassifier(**settings | params)
"""


def run(script, *arguments, timeout=120):
    """Run a script in a new process and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", PREPARED + textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_first_fit_may_rescale_and_a_pickle_predicts_in_a_new_process(tmp_path):
    # "rescaling" is the name of the first such layer in a process.
    path = str(tmp_path / "classifier.pickle")
    fitted = run(
        """
        clf = classifier(architecture=scaled).fit(X, y)
        assert not any(np.isnan(w).any() for w in clf.weights_.values())
        print(*clf.decision_function(X)[:3].tolist())
        clf.architecture = "reference"  # the function is not part of the pickle
        pickle.dump(clf, open(sys.argv[1], "wb"))
        """,
        path,
    )
    loaded = run(
        """
        del scaled
        clf = pickle.load(open(sys.argv[1], "rb"))
        print(*clf.decision_function(X)[:3].tolist())
        """,
        path,
    )
    assert loaded == fitted


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_a_process_forked_after_a_fit_raises_an_error_and_one_forked_before_works():
    printed = run(
        """
        import multiprocessing

        fork = multiprocessing.get_context("fork")
        clf = classifier(architecture=ReferenceCNN(filters=(2,), dense_units=2))

        def in_child(method):
            def work():
                try:
                    method()
                    answers.put("works")
                except RuntimeError as error:
                    answers.put(str(error))

            answers = fork.Queue()
            child = fork.Process(target=work)
            child.start()
            answer = answers.get(timeout=60)
            child.join()
            return answer

        print(in_child(lambda: clf.fit(X, y)))
        clf.fit(X, y)
        for method in (lambda: clf.fit(X, y), lambda: clf.predict(X)):
            assert "forked from a process that had already used" in in_child(method)
            assert "loky" in in_child(method)
        print("raised")
        """
    )
    assert printed == ["works", "raised"]


def test_disabled_eager_execution_is_an_error_that_says_so():
    printed = run(
        """
        import tensorflow as tf

        tf.compat.v1.disable_eager_execution()
        try:
            classifier().fit(X, y)
        except RuntimeError as error:
            assert "eager execution, which is disabled" in str(error)
            print("raised")
        """
    )
    assert printed == ["raised"]
