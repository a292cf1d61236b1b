import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline

from skhisto import CenterCrop, TrainingCurveDisplay


def values(line):
    return line.get_ydata().tolist()


def test_a_fit_is_a_line_by_epoch(fitted):
    display = TrainingCurveDisplay.from_estimator(fitted, metric="accuracy")
    assert list(display.lines_) == ["training"]
    line = display.lines_["training"]
    assert line.get_xdata().tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert values(line) == fitted.history_["accuracy"]
    assert not display.bands_
    assert not display.dots_
    assert display.ax_.get_xlabel() == "epoch"
    assert display.ax_.get_ylabel() == "accuracy"


def test_folds_are_their_mean_with_a_band(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    pipeline = make_pipeline(CenterCrop(8), tiny_cnn.set_params(epochs=2))
    folds = cross_validate(pipeline, X, y, cv=3, return_estimator=True)["estimator"]
    display = TrainingCurveDisplay.from_estimator(folds)
    losses = np.array([fold[-1].history_["loss"] for fold in folds])
    np.testing.assert_allclose(values(display.lines_["training"]), losses.mean(axis=0))
    low, high = display.bands_["training"].get_datalim(display.ax_.transData).intervaly
    assert low == pytest.approx(losses.min())
    assert high == pytest.approx(losses.max())


def test_the_epoch_that_early_stopping_kept_is_marked(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(early_stopping=True, epochs=3).fit(X, y)
    display = TrainingCurveDisplay.from_estimator(tiny_cnn)
    assert list(display.lines_) == ["training", "validation"]
    losses = tiny_cnn.history_["val_loss"]
    (dot,) = display.dots_
    assert dot.get_xdata() == [np.argmin(losses) + 1]
    assert values(dot) == [min(losses)]
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["training", "validation", "kept by early stopping"]


def test_the_kept_epoch_is_that_of_the_last_fit(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=2, warm_start=True).fit(X, y)  # no validation: NaN
    tiny_cnn.set_params(early_stopping=True).fit(X, y)
    (dot,) = TrainingCurveDisplay.from_estimator(tiny_cnn).dots_
    losses = tiny_cnn.history_["val_loss"]
    assert dot.get_xdata() == [np.nanargmin(losses) + 1]
    assert values(dot) == [np.nanmin(losses)]


def test_without_validation_no_epoch_is_marked():
    display = TrainingCurveDisplay([{"loss": [2.0, 1.0]}], kept_epochs=[2]).plot()
    assert not display.dots_


def test_a_fit_without_early_stopping_among_others_has_no_mark():
    history = {"loss": [2.0, 1.0], "val_loss": [2.0, 3.0]}
    display = TrainingCurveDisplay([history] * 2, kept_epochs=[None, 1]).plot()
    assert [values(dot) for dot in display.dots_] == [[2.0]]


def test_fits_of_different_length_are_averaged_where_they_are():
    histories = [{"loss": [4.0, 2.0, 1.0]}, {"loss": [2.0]}]
    _, ax = plt.subplots()
    display = TrainingCurveDisplay(histories).plot(ax=ax)
    assert display.ax_ is ax
    assert values(display.lines_["training"]) == [3, 2, 1]


def test_a_single_epoch_is_visible():
    display = TrainingCurveDisplay([{"loss": [1.0]}]).plot()
    assert display.lines_["training"].get_marker() == "o"


def test_what_there_is_not_is_an_error(fitted, tiny_cnn):
    with pytest.raises(
        ValueError, match=r"Unknown metric 'AUC'\. Available metrics: accuracy, l"
    ):
        TrainingCurveDisplay.from_estimator(fitted, metric="AUC")
    with pytest.raises(ValueError, match="Unknown metric 'val_loss'"):
        TrainingCurveDisplay(
            [{"loss": [1.0], "val_loss": [1.0]}], metric="val_loss"
        ).plot()
    with pytest.raises(ValueError, match="Unknown metric 'accuracy'"):
        TrainingCurveDisplay(
            [{"loss": [1.0], "accuracy": [1.0]}, {"loss": [1.0]}], metric="accuracy"
        ).plot()
    with pytest.raises(ValueError, match="histories must contain at least one fit"):
        TrainingCurveDisplay.from_estimator([])
    with pytest.raises(NotFittedError):
        TrainingCurveDisplay.from_estimator(tiny_cnn)
    with pytest.raises(TypeError, match="must be a PatchCNNClassifier"):
        TrainingCurveDisplay.from_estimator(LogisticRegression())
