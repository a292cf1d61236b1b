"""Fits that continue after the end of their process."""

import errno
import os
import re
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
import skops.io
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.model_selection import GridSearchCV

from skhisto import Checkpoint, PatchCNNClassifier
from skhisto._classifier.checkpoint_file import CheckpointFile


class EndOfProcessError(BaseException):
    """Stands for kill -9."""


@pytest.fixture
def dies_after(monkeypatch):
    """Make the process of a fit end after a number of checkpoints."""
    write = CheckpointFile.write

    def set_number(n_writes):
        written = []

        def write_and_die(self, document, arrays):
            write(self, document, arrays)
            written.append(self.path)
            if len(written) == n_writes:
                raise EndOfProcessError

        monkeypatch.setattr(CheckpointFile, "write", write_and_die)

    yield set_number
    monkeypatch.undo()


@pytest.fixture
def n_epochs(monkeypatch):
    """The numbers of the epochs that are really trained."""
    from skhisto._keras.compiled_network import CompiledNetwork

    epoch, numbers = CompiledNetwork.epoch, []

    def counted(self, batches, seed, number, *args):
        numbers.append(number)
        return epoch(self, batches, seed, number, *args)

    monkeypatch.setattr(CompiledNetwork, "epoch", counted)
    return numbers


def assert_same_fit(classifier, other):
    assert classifier.weights_.keys() == other.weights_.keys()
    for name, weight in classifier.weights_.items():
        assert weight.dtype == other.weights_[name].dtype
        np.testing.assert_array_equal(weight, other.weights_[name])
    assert repr(classifier.history_) == repr(other.history_)  # NaN equals NaN
    for name in ("n_iter_", "best_epoch_", "value_range_", "batch_size_", "layers_"):
        assert getattr(classifier, name) == getattr(other, name)
    assert vars(classifier).keys() == vars(other).keys()
    state, expected = (getattr(c, "optimizer_state_", {}) for c in (classifier, other))
    assert state.keys() == expected.keys()
    for name, value in state.items():
        np.testing.assert_array_equal(value, expected[name])


def slower(epoch, rate):
    return rate * 0.9


def two_layers(patch_shape, n_outputs):
    layers = [keras.layers.Flatten(), keras.layers.Dropout(0.2)]
    return keras.Sequential([*layers, keras.layers.Dense(n_outputs)])


def brighter(patches, rng):
    return np.minimum(patches, 255 - rng.integers(9)).astype(patches.dtype)


SETTINGS = {
    "one cycle, augmentation": {"learning_rate_schedule": "one_cycle"},
    "early stopping": {"early_stopping": True, "n_iter_no_change": 2, "tol": 0.0},
    "warm start": {"early_stopping": True, "warm_start": True},
    "nadam in float16": {"optimizer": "nadam", "precision": "float16"},
    "a callback": {"callbacks": [keras.callbacks.LearningRateScheduler(slower)]},
    "momentum": {"optimizer": "sgd", "optimizer_params": {"momentum": 0.9}},
    "functions": {"architecture": two_layers, "augment": brighter},
    "compact, weights": {"architecture": "compact", "class_weight": "balanced"},
}


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_resumed_fit_ends_where_an_undisturbed_fit_ends(
    tiny_cnn, bright_or_dark, tmp_path, dies_after, n_epochs, settings
):
    X, y, groups = bright_or_dark
    weight = 1 + np.arange(60) % 3
    tiny_cnn.set_params(epochs=7, **SETTINGS[settings])
    expected = clone(tiny_cnn).fit(X, y, weight, groups=groups)
    tiny_cnn.set_params(checkpoint=Checkpoint(tmp_path, every=2))
    for n_writes in (1, 2):
        dies_after(n_writes)
        with pytest.raises(EndOfProcessError):
            clone(tiny_cnn).fit(X, y, weight, groups=groups)
    n_epochs.clear()
    dies_after(-1)
    assert_same_fit(tiny_cnn.fit(X, y, weight, groups=groups), expected)
    assert n_epochs == list(range(6, expected.n_iter_))


def test_resuming_covers_validation_patches_numbers_and_three_classes(
    tiny_cnn, bright_or_dark, tmp_path, dies_after
):
    X, _, _ = bright_or_dark
    X, y = X / 255, np.array(["a", "b", "c"])[np.arange(60) % 3]
    validation = {"X_val": 1 - X[:9], "y_val": y[:9]}
    tiny_cnn.set_params(epochs=4, augment=None)
    expected = clone(tiny_cnn).fit(X, y, **validation)
    tiny_cnn.set_params(checkpoint=Checkpoint(str(tmp_path)))
    dies_after(2)
    with pytest.raises(EndOfProcessError):
        clone(tiny_cnn).fit(X, y, **validation)
    dies_after(-1)
    assert_same_fit(tiny_cnn.fit(X, y, **validation), expected)


def test_a_continued_fit_resumes_from_the_weights_that_it_started_with(
    tiny_cnn, bright_or_dark, tmp_path, dies_after
):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=4, warm_start=True, learning_rate_schedule="cosine")
    once = clone(tiny_cnn).fit(X, y)
    tiny_cnn.fit(X, y).set_params(checkpoint=Checkpoint(tmp_path))
    dies_after(3)
    with pytest.raises(EndOfProcessError):
        tiny_cnn.fit(X, y)
    dies_after(-1)
    tiny_cnn.fit(X, y)
    assert tiny_cnn.n_iter_ == 8
    assert_same_fit(tiny_cnn, once.fit(X, y))


def test_without_random_state_a_fit_continues_with_the_seed_of_the_checkpoint(
    tiny_cnn, bright_or_dark, tmp_path, dies_after, n_epochs
):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(
        epochs=3,
        random_state=None,
        early_stopping=True,
        checkpoint=Checkpoint(tmp_path),
    )
    np.random.seed(0)
    expected = clone(tiny_cnn).set_params(checkpoint=None).fit(X, y)
    np.random.seed(0)
    dies_after(1)
    with pytest.raises(EndOfProcessError):
        clone(tiny_cnn).fit(X, y)
    dies_after(-1)
    n_epochs.clear()
    assert_same_fit(tiny_cnn.fit(X, y), expected)
    assert n_epochs == [1, 2]
    # Another fit has another seed.
    another = clone(tiny_cnn).fit(X, y)
    assert n_epochs == [1, 2, 0, 1, 2]
    assert another.history_ != expected.history_


def test_a_finished_fit_is_not_trained_again(
    tiny_cnn, bright_or_dark, tmp_path, n_epochs, capsys
):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(early_stopping=True, checkpoint=Checkpoint(tmp_path)).fit(X, y)
    n_epochs.clear()
    again = clone(tiny_cnn).set_params(tta="d4", verbose=1).fit(X, y)
    assert n_epochs == []
    assert_same_fit(again, tiny_cnn)
    assert f"Resumed after epoch {tiny_cnn.n_iter_} from" in capsys.readouterr().out


def test_partial_fit_ignores_checkpoints(tiny_cnn, bright_or_dark, tmp_path):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(checkpoint=Checkpoint(tmp_path / "none"))
    tiny_cnn.partial_fit(X, y, classes=[0, 1])
    assert not (tmp_path / "none").exists()


def test_a_search_that_is_run_again_trains_what_is_missing(
    tiny_cnn, bright_or_dark, tmp_path, dies_after, n_epochs
):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=3)
    grid = {"learning_rate": [0.01, 0.02]}
    expected = GridSearchCV(clone(tiny_cnn), grid, cv=2).fit(X, y)
    tiny_cnn.set_params(checkpoint=Checkpoint(tmp_path))
    dies_after(5)  # two finished fits have three checkpoints each
    with pytest.raises(EndOfProcessError):
        GridSearchCV(tiny_cnn, grid, cv=2).fit(X, y)
    dies_after(-1)
    n_epochs.clear()
    search = GridSearchCV(tiny_cnn, grid, cv=2).fit(X, y)
    assert n_epochs == [2, 0, 1, 2, 0, 1, 2, 0, 1, 2]
    scores = search.cv_results_["mean_test_score"]
    np.testing.assert_array_equal(scores, expected.cv_results_["mean_test_score"])
    assert_same_fit(search.best_estimator_, expected.best_estimator_)
    assert len(list(tmp_path.iterdir())) == 5


def test_ctrl_c_leaves_a_checkpoint(tiny_cnn, bright_or_dark, tmp_path, monkeypatch):
    X, y, _ = bright_or_dark
    expected = clone(tiny_cnn).fit(X, y)
    tiny_cnn.set_params(checkpoint=Checkpoint(tmp_path))
    write = CheckpointFile.write

    def interrupted(self, document, arrays):
        write(self, document, arrays)
        if document["last"]["n_iter"] == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(CheckpointFile, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tiny_cnn.fit(X, y)
    assert tiny_cnn.n_iter_ == 3
    monkeypatch.undo()
    assert_same_fit(tiny_cnn.fit(X, y), expected)


def test_a_diverged_fit_warns_again(tiny_cnn, bright_or_dark, tmp_path):
    X, y, _ = bright_or_dark
    explode = keras.callbacks.LearningRateScheduler(
        lambda epoch, rate: 1e30 if epoch == 2 else rate
    )
    tiny_cnn.set_params(optimizer="sgd", callbacks=[explode])
    with pytest.warns(match="weights of epoch 2"):
        expected = clone(tiny_cnn).fit(X, y)
    tiny_cnn.set_params(checkpoint=Checkpoint(tmp_path))
    for _ in range(2):
        with pytest.warns(match="weights of epoch 2"):
            tiny_cnn.fit(X, y)
        assert_same_fit(tiny_cnn, expected)


def test_callbacks_of_scikit_learn_see_the_epochs_after_resuming(
    tiny_cnn, bright_or_dark, tmp_path, dies_after
):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=4, checkpoint=Checkpoint(tmp_path))
    dies_after(2)
    with pytest.raises(EndOfProcessError):
        clone(tiny_cnn).fit(X, y)
    dies_after(-1)
    monitor = ScoringMonitor(scoring="accuracy")
    tiny_cnn.set_callbacks(monitor).fit(X, y)
    log = monitor.get_logs().data_as_pandas
    log = log[log["task_name"] == "epoch"]
    assert log["task_id"].tolist() == [2, 3]


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        ({"ReduceLROnPlateau": {"monitor": "loss"}}, "state of the callback ReduceLROnPlateau"),
        (["EarlyStopping"], "use early_stopping=True of the classifier"),
        ([keras.callbacks.Callback()], "state of the callback Callback,"),
        ({"CSVLogger": {"filename": "log.csv"}}, "CSVLogger needs append=True"),
    ],
)  # fmt: skip
def test_callbacks_with_a_state_are_refused_by_name(
    tiny_cnn, bright_or_dark, tmp_path, callbacks, message
):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(callbacks=callbacks, checkpoint=Checkpoint(tmp_path))
    with pytest.raises(ValueError, match=message):
        tiny_cnn.fit(X, y)
    assert not hasattr(tiny_cnn, "weights_")


def test_a_log_of_epochs_is_continued(tiny_cnn, bright_or_dark, tmp_path, dies_after):
    X, y, _ = bright_or_dark
    log = tmp_path / "log.csv"
    tiny_cnn.set_params(
        epochs=4,
        callbacks={"CSVLogger": {"filename": str(log), "append": True}},
        checkpoint=Checkpoint(tmp_path / "checkpoints"),
    )
    dies_after(2)
    with pytest.raises(EndOfProcessError):
        clone(tiny_cnn).fit(X, y)
    dies_after(-1)
    tiny_cnn.fit(X, y)
    epochs = [line.split(",")[0] for line in log.read_text().splitlines()]
    assert epochs == ["epoch", "0", "1", "2", "3"]


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_on_a_full_disk_training_continues_and_warns_once(
    tiny_cnn, bright_or_dark, tmp_path, monkeypatch, dies_after, function
):
    X, y, _ = bright_or_dark
    expected = clone(tiny_cnn).fit(X, y)
    tiny_cnn.set_params(checkpoint=Checkpoint(tmp_path))
    dies_after(3)
    with pytest.raises(EndOfProcessError):
        clone(tiny_cnn).fit(X, y)
    dies_after(-1)
    (file,) = tmp_path.glob("*/*")
    before = file.read_bytes()

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, function, full)
        with pytest.warns(RuntimeWarning, match="No space left on device") as caught:
            tiny_cnn.fit(X, y)
    assert sum("cannot be written" in str(w.message) for w in caught) == 1
    assert_same_fit(tiny_cnn, expected)
    assert file.read_bytes() == before
    assert list(tmp_path.glob("*/*")) == [file]
    assert_same_fit(clone(tiny_cnn).fit(X, y), expected)


def test_a_full_disk_at_the_start_is_no_error(
    tiny_cnn, bright_or_dark, tmp_path, monkeypatch
):
    X, y, _ = bright_or_dark

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.mkdir", full)
    tiny_cnn.set_params(epochs=2, checkpoint=Checkpoint(tmp_path))
    with pytest.warns(RuntimeWarning, match="cannot be written"):
        tiny_cnn.fit(X, y)


def test_a_folder_that_cannot_be_created_is_an_error_before_training(
    tiny_cnn, bright_or_dark, tmp_path
):
    X, y, _ = bright_or_dark
    (tmp_path / "file").touch()
    tiny_cnn.set_params(checkpoint=Checkpoint(tmp_path / "file"))
    with pytest.raises(NotADirectoryError):
        tiny_cnn.fit(X, y)


def test_a_corrupt_checkpoint_is_reported_and_replaced(
    tiny_cnn, bright_or_dark, tmp_path, dies_after, n_epochs
):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=3)
    expected = clone(tiny_cnn).fit(X, y)
    tiny_cnn.set_params(checkpoint=Checkpoint(tmp_path))
    dies_after(2)
    with pytest.raises(EndOfProcessError):
        clone(tiny_cnn).fit(X, y)
    dies_after(-1)
    (file,) = tmp_path.glob("*/*")
    file.write_bytes(file.read_bytes()[:-100])
    n_epochs.clear()
    with pytest.warns(UserWarning, match=r"cannot be read: it is truncated or corrupt"):
        tiny_cnn.fit(X, y)
    assert n_epochs == [0, 1, 2]
    assert_same_fit(tiny_cnn, expected)


def test_a_checkpoint_of_another_network_is_reported_and_replaced(
    tiny_cnn, bright_or_dark, tmp_path, dies_after, monkeypatch
):
    X, y, _ = bright_or_dark
    monkeypatch.setattr(
        "skhisto._classifier.saved_fit.fingerprint", lambda *a, **k: "f"
    )
    tiny_cnn.set_params(epochs=3, checkpoint=Checkpoint(tmp_path))
    dies_after(1)
    with pytest.raises(EndOfProcessError):
        clone(tiny_cnn).fit(X, y)
    dies_after(-1)
    tiny_cnn.set_params(architecture=two_layers)
    expected = clone(tiny_cnn).set_params(checkpoint=None).fit(X, y)
    with pytest.warns(UserWarning, match="belongs to another network"):
        tiny_cnn.fit(X, y)
    assert_same_fit(tiny_cnn, expected)


def without(name):
    return lambda document, arrays: document["last"].pop(name)


def with_weights_of_another_shape(document, arrays):
    arrays["last_weights_0"] = np.zeros((1, 2), np.float32)


def with_weights_of_another_dtype(document, arrays):
    arrays["last_weights_0"] = arrays["last_weights_0"].astype(np.float64)


def with_a_negative_epoch(document, arrays):
    document["last"]["n_iter"] = -1


def with_losses_that_are_texts(document, arrays):
    document["last"]["history"]["loss"] = ["a"]


def with_another_seed(document, arrays):
    document["seed"] = "a"


@pytest.mark.parametrize(
    "change",
    [
        without("weights"),
        without("history"),
        with_weights_of_another_shape,
        with_weights_of_another_dtype,
        with_a_negative_epoch,
        with_losses_that_are_texts,
        with_another_seed,
    ],
)
def test_a_checkpoint_that_was_made_by_something_else_is_reported_and_replaced(
    tiny_cnn, bright_or_dark, tmp_path, dies_after, n_epochs, change
):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=3, checkpoint=Checkpoint(tmp_path))
    dies_after(2)
    with pytest.raises(EndOfProcessError):
        clone(tiny_cnn).fit(X, y)
    dies_after(-1)
    (folder,) = tmp_path.iterdir()
    document, arrays = CheckpointFile(folder).read()
    change(document, arrays)
    CheckpointFile(folder).write(document, arrays)  # with the right checksum
    n_epochs.clear()
    with pytest.warns(UserWarning, match="does not contain the state of (this|a) fit"):
        tiny_cnn.fit(X, y)
    assert n_epochs == [0, 1, 2]


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [
        ("folder", "The 'checkpoint' parameter of PatchCNNClassifier must be"),
        (Checkpoint("folder", every=0), "The 'every' parameter of Checkpoint must be"),
        (Checkpoint(1), "The 'folder' parameter of Checkpoint must be"),
    ],
)
def test_invalid_checkpoints_are_errors(
    tiny_cnn, bright_or_dark, checkpoint, message, monkeypatch, tmp_path
):
    X, y, _ = bright_or_dark
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        tiny_cnn.set_params(checkpoint=checkpoint).fit(X, y)
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_is_a_value(tmp_path):
    checkpoint = Checkpoint("runs", every=5)
    assert checkpoint == clone(checkpoint) == Checkpoint(folder="runs", every=5)
    assert checkpoint != Checkpoint("runs")
    classifier = PatchCNNClassifier(checkpoint=checkpoint)
    assert classifier.set_params(checkpoint__every=2).checkpoint.every == 2
    with pytest.raises(ValueError, match=re.escape("checkpoint=Checkpoint('folder')")):
        PatchCNNClassifier().set_params(checkpoint__every=2)
    trusted = ["skhisto.Checkpoint", "skhisto.PatchCNNClassifier"]
    saved = skops.io.dumps(classifier)
    assert sorted(skops.io.get_untrusted_types(data=saved)) == trusted
    loaded = skops.io.loads(saved, trusted=trusted)
    assert loaded.checkpoint == classifier.checkpoint


SCRIPT = """
import os, signal, sys
import numpy as np
from skhisto import Checkpoint, PatchCNNClassifier, ReferenceCNN

function, n_calls = sys.argv[1], int(sys.argv[2])
original, calls = getattr(os, function), []

def killed(*args):
    calls.append(args)
    if len(calls) == n_calls:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*args)

data = np.load("data.npz")
classifier = PatchCNNClassifier(
    architecture=ReferenceCNN(filters=(4,), dense_units=8),
    epochs=8,
    batch_size=16,
    learning_rate=0.01,
    early_stopping=True,
    checkpoint=Checkpoint("checkpoints"),
    random_state=0,
)
setattr(os, function, killed)
classifier.fit(data["X"], data["y"])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_kill_9_within_writing_loses_nothing_that_was_written(
    tiny_cnn, bright_or_dark, tmp_path, n_epochs
):
    X, y, _ = bright_or_dark
    np.savez(tmp_path / "data.npz", X=X, y=y)
    # Each write calls fsync twice, for the file and for the folder, and replace once:
    # two epochs are saved by the first process, two more by the second one.
    for function, n_calls in [("fsync", 5), ("replace", 3)]:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, function, str(n_calls)],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert len(list(tmp_path.glob("checkpoints/*/*.tmp"))) == 2
    tiny_cnn.set_params(early_stopping=True)
    expected = clone(tiny_cnn).fit(X, y)
    n_epochs.clear()
    tiny_cnn.set_params(checkpoint=Checkpoint(tmp_path / "checkpoints")).fit(X, y)
    assert n_epochs == list(range(4, expected.n_iter_))
    assert_same_fit(tiny_cnn, expected)
    (folder,) = (tmp_path / "checkpoints").iterdir()
    assert [file.name for file in folder.iterdir()] == ["checkpoint.npz"]
