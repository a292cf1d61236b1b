import numpy as np
import pytest

from skhisto._keras.schedules import learning_rates


def test_a_constant_learning_rate_needs_no_schedule():
    assert learning_rates("constant", 0.1, 10) is None


def test_cosine_falls_from_the_learning_rate_to_zero():
    rates = learning_rates("cosine", 0.1, 1000)
    assert np.all(np.diff(rates) < 0)
    assert rates[0] == pytest.approx(0.1, rel=1e-3)
    assert rates[500] == pytest.approx(0.05, rel=1e-2)
    assert 0 < rates[-1] < 1e-6


def test_one_cycle_rises_over_the_first_three_tenths_and_falls_then():
    rates = learning_rates("one_cycle", 0.1, 1000)
    assert np.all(np.diff(rates[:300]) > 0)
    assert np.all(np.diff(rates[300:]) < 0)
    assert rates[0] == pytest.approx(0.1 / 25, rel=1e-2)
    assert rates.max() == pytest.approx(0.1, rel=1e-3)
    assert 0 < rates[-1] < 1e-6


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle"])
@pytest.mark.parametrize("n_steps", [1, 2, 3])
def test_every_step_learns_also_where_there_are_few(schedule, n_steps):
    rates = learning_rates(schedule, 0.1, n_steps)
    assert len(rates) == n_steps
    assert np.all((rates > 0) & (rates <= 0.1))
