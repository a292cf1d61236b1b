import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skhisto import CenterCrop, PatchLoader


class Recorder:
    """A callback of scikit-learn that notes its calls and may ask to stop."""

    max_propagation_depth = None

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.calls = []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self.calls.append(f"begin {context.task_name}")

    def on_fit_task_end(
        self,
        estimator,
        context,
        *,
        X=None,
        y=None,
        metadata=None,
        fitted_estimator=None,
    ):
        self.calls.append(f"end {context.task_name}")
        self.X, self.y, self.metadata = X, y, metadata
        self.fitted = fitted_estimator
        return context.task_name == "epoch" and context.task_id + 1 == self.stop_after

    def teardown(self, estimator, context):
        self.calls.append("teardown")


class Spy(keras.callbacks.Callback):
    """A Keras callback that notes its calls, in a list that copies share."""

    def __init__(self, calls, stop=False):
        super().__init__()
        self.calls = Shared(calls)
        self.stop = stop

    def __getattribute__(self, name):
        if name.startswith("on_") and name != "on_train_batch_begin":
            object.__getattribute__(self, "calls").note(name)
        return super().__getattribute__(name)

    def on_epoch_end(self, epoch, logs=None):
        self.calls.note(sorted(logs))
        self.model.stop_training = self.stop


class Shared:
    def __init__(self, calls):
        self.note = calls.append

    def __deepcopy__(self, memo):
        return self


def test_epochs_are_tasks_of_callbacks(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    recorder = Recorder()
    tiny_cnn.set_params(epochs=2).set_callbacks(recorder).fit(X, y)
    assert recorder.calls == [
        "setup",
        "begin fit",
        "begin epoch",
        "end epoch",
        "begin epoch",
        "end epoch",
        "end fit",
        "teardown",
    ]


def test_callbacks_get_the_classifier_as_it_would_be_now(tiny_cnn, bright_or_dark):
    X, y, groups = bright_or_dark
    weight = np.ones(60)
    recorder = Recorder(stop_after=2)
    tiny_cnn.set_params(epochs=5).set_callbacks(recorder)
    tiny_cnn.fit(X, np.array(["a", "b"])[y], sample_weight=weight, groups=groups)
    assert tiny_cnn.n_iter_ == 2
    expected = tiny_cnn.predict_proba(X)
    np.testing.assert_array_equal(recorder.fitted.predict_proba(X), expected)
    assert recorder.metadata.keys() == {"sample_weight"}
    assert set(recorder.y) == {"a", "b"}
    stopped_there = clone(tiny_cnn).set_callbacks().set_params(epochs=2)
    stopped_there.fit(X, np.array(["a", "b"])[y])
    np.testing.assert_array_equal(stopped_there.predict_proba(X), expected)


def test_nothing_of_callbacks_stays_on_the_classifier(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    without = set(vars(clone(tiny_cnn).set_params(epochs=1).fit(X, y)))
    tiny_cnn.set_params(epochs=1).set_callbacks(Recorder()).fit(X, y)
    assert set(vars(tiny_cnn)) - without == {"_skl_callbacks"}
    with pytest.raises(ValueError, match="one class"):
        tiny_cnn.fit(X, np.zeros(60))
    assert set(vars(tiny_cnn)) - without == {"_skl_callbacks"}


def test_a_scoring_monitor_scores_every_epoch(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    monitor = ScoringMonitor(scoring=["roc_auc", "accuracy"])
    tiny_cnn.set_params(epochs=3).set_callbacks(monitor).fit(X, y)
    log = monitor.get_logs().data_as_pandas
    epochs = log[log["task_name"] == "epoch"]
    assert len(epochs) == 3
    assert epochs["accuracy"].iloc[-1] == tiny_cnn.score(X, y)


@pytest.mark.filterwarnings("error::UserWarning")
def test_a_progress_bar_nests_under_pipeline_and_grid_search(
    tiny_cnn, bright_or_dark, capsys
):
    X, y, _ = bright_or_dark
    pipeline = make_pipeline(CenterCrop(10), tiny_cnn.set_params(epochs=2))
    search = GridSearchCV(pipeline, {"centercrop__size": [8, 10]}, cv=2)
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, y)
    shown = capsys.readouterr().out
    assert "GridSearchCV - fit" in shown
    assert "Pipeline - fit" in shown
    assert "PatchCNNClassifier - fit" in shown


@pytest.mark.filterwarnings("error::UserWarning")
def test_a_progress_bar_on_a_pipeline_of_all_steps_warns_not(
    tiny_cnn, bright_or_dark, tmp_path
):
    from PIL import Image

    X, y, _ = bright_or_dark
    for i in range(8):
        Image.fromarray(X[i]).save(tmp_path / f"{i}.png")
    loader = PatchLoader(root=tmp_path, suffix=".png", lazy=True)
    pipeline = make_pipeline(loader, CenterCrop(10), tiny_cnn.set_params(epochs=1))
    pipeline.set_callbacks(ProgressBar()).fit([str(i) for i in range(8)], y[:8])


@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_verbose_shows_epochs(tiny_cnn, bright_or_dark, capsys, verbose):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=2, verbose=verbose).fit(X, y).predict(X)
    shown = capsys.readouterr().out
    assert ("Epoch 2/2" in shown) == (verbose > 0)
    assert ("loss" in shown) == (verbose > 0)


def test_keras_callbacks_run_in_fit_only_and_see_the_logs(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    calls = []
    tiny_cnn.set_params(epochs=1, batch_size=60, callbacks=[Spy(calls)])
    tiny_cnn.fit(X, y, X_val=X, y_val=y)
    assert ["accuracy", "loss", "val_accuracy", "val_loss"] in calls
    names = [call for call in calls if isinstance(call, str)]
    for name in (
        "on_train_begin",
        "on_epoch_begin",
        "on_train_batch_end",
        "on_train_end",
    ):
        assert name in names
    calls.clear()
    tiny_cnn.predict(X)
    assert calls == []


def test_a_keras_callback_can_stop_training(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(callbacks=[Spy([], stop=True)]).fit(X, y)
    assert tiny_cnn.n_iter_ == 1
    tiny_cnn.set_params(callbacks=None).fit(X, y)
    assert tiny_cnn.n_iter_ == 8


def test_keras_callbacks_are_copied_for_each_fit(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    callback = keras.callbacks.EarlyStopping(monitor="loss", baseline=-1, patience=0)
    tiny_cnn.set_params(callbacks=[callback]).fit(X, y)
    assert callback.model is None
    assert callback.stopped_epoch == 0


def test_callbacks_by_name_change_the_learning_rate(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(
        epochs=3,
        warm_start=True,
        callbacks={
            "ReduceLROnPlateau": {"monitor": "loss", "patience": 1, "min_delta": 99}
        },
    )
    tiny_cnn.fit(X, y)
    assert tiny_cnn.optimizer_state_["adam/learning_rate"] == pytest.approx(1e-4)


def test_keras_callbacks_may_restore_former_weights(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    stopping = {"monitor": "val_loss", "patience": 2, "restore_best_weights": True}
    tiny_cnn.set_params(epochs=30, callbacks={"EarlyStopping": stopping})
    tiny_cnn.fit(X, y, X_val=X, y_val=1 - y)
    losses = tiny_cnn.history_["val_loss"]
    assert np.argmin(losses) < len(losses) - 1
    proba = tiny_cnn.predict_proba(X)[np.arange(60), 1 - y]
    assert -np.log(proba).mean() == pytest.approx(min(losses), rel=1e-4)


def test_keras_callbacks_may_set_weights_after_an_epoch(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark

    class Zero(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.set_weights([0 * w for w in self.model.get_weights()])

    tiny_cnn.set_params(epochs=1, callbacks=[Zero()]).fit(X, y)
    assert not np.concatenate([w.ravel() for w in tiny_cnn.weights_.values()]).any()


def test_keras_callbacks_end_also_when_training_fails(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    calls = []
    tiny_cnn.set_params(callbacks=[Spy(calls)], learning_rate=1e30, optimizer="sgd")
    with pytest.raises(ValueError, match="diverged"):
        tiny_cnn.fit(X, y)
    assert "on_train_end" in calls


def test_early_stopping_hears_of_the_epoch_after_which_a_callback_stops(
    tiny_cnn, bright_or_dark
):
    X, y, _ = bright_or_dark
    recorder = Recorder(stop_after=1)
    tiny_cnn.set_params(early_stopping=True).set_callbacks(recorder)
    tiny_cnn.fit(X, y)
    assert tiny_cnn.n_iter_ == 1
    assert np.isfinite(tiny_cnn.history_["val_loss"]).all()


def test_the_bar_goes_on_counting_epochs_after_a_warm_start(
    tiny_cnn, bright_or_dark, capsys
):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=2, warm_start=True, verbose=2).fit(X, y).fit(X, y)
    assert "Epoch 4/4" in capsys.readouterr().out


def test_scikit_learn_callbacks_work_with_two_workers(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    monitor = ScoringMonitor(scoring="accuracy")
    tiny_cnn.set_params(epochs=2).set_callbacks(monitor)
    search = GridSearchCV(tiny_cnn, {"batch_size": [16, 32]}, cv=2, n_jobs=2)
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, y)
    log = monitor.get_logs().data_as_pandas
    assert (log["task_name"] == "epoch").sum() >= 2
    assert log["accuracy"].between(0, 1).all()


def test_what_a_keras_callback_saves_loads_into_the_live_model(
    tiny_cnn, bright_or_dark, tmp_path
):
    X, y, _ = bright_or_dark
    file = str(tmp_path / "last.weights.h5")
    checkpoint = {"filepath": file, "save_weights_only": True}
    tiny_cnn.set_params(epochs=1, callbacks={"ModelCheckpoint": checkpoint}).fit(X, y)
    model = tiny_cnn.model_
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    model.load_weights(file)
    for weight, fitted in zip(
        model.get_weights(), tiny_cnn.weights_.values(), strict=True
    ):
        np.testing.assert_array_equal(weight, fitted)
