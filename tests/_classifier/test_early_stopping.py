import pytest

from skhisto._classifier.early_stopping import EarlyStopping
from skhisto._keras.training_loop import TrainingState


def run(losses, n_iter_no_change, tol):
    stopping = EarlyStopping(n_iter_no_change, tol)
    history = []
    for epoch, loss in enumerate(losses, start=1):
        history = [*history, loss]
        state = TrainingState({"w": epoch}, {}, {"val_loss": history}, epoch, [])
        # It looks at the state only, not at one measured for predictions.
        if stopping.end(state, lambda: None):
            break
    return stopping.restore_best(state)


def test_training_stops_after_epochs_without_improvement():
    assert run([1.0, 0.5, 0.6, 0.7, 0.4], n_iter_no_change=2, tol=0).n_iter == 4


def test_the_weights_of_the_best_epoch_and_the_history_of_all_are_kept():
    state = run([1.0, 0.5, 0.6, 0.7], n_iter_no_change=2, tol=0)
    assert state.weights == {"w": 2}
    assert state.history["val_loss"] == [1.0, 0.5, 0.6, 0.7]


@pytest.mark.parametrize(("tol", "n_iter"), [(0.0, 4), (0.1, 3)])
def test_an_improvement_below_the_tolerance_is_none(tol, n_iter):
    assert run([1.0, 0.95, 0.92, 0.91], n_iter_no_change=2, tol=tol).n_iter == n_iter


def test_small_improvements_that_add_up_to_the_tolerance_count():
    assert run([1.0, 0.94, 0.88, 0.82, 0.76], n_iter_no_change=2, tol=0.1).n_iter == 5
