import threading
import time

import numpy as np
import pytest

from skhisto._data.decoding import as_pixels, prefetch


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_numbers_that_are_none_in_float32_are_an_error(value):
    with pytest.raises(ValueError, match="NaN, infinity or numbers that are too large"):
        as_pixels(np.full((1, 2, 2, 1), value), "float32")


def test_what_is_loaded_ahead_comes_in_order():
    assert list(prefetch(lambda key: key**2, range(7))) == [0, 1, 4, 9, 16, 25, 36]


def test_no_two_loads_run_at_the_same_time_and_none_in_the_callers_thread():
    running, threads = [], set()

    def load(key):
        running.append(key)
        threads.add(threading.current_thread())
        time.sleep(0.005)
        assert running == [key]
        running.clear()

    assert len(list(prefetch(load, range(5)))) == 5
    assert len(threads) == 1
    assert threading.current_thread() not in threads


def test_loading_runs_ahead_but_not_far():
    loaded, fourth = [], threading.Event()

    def load(key):
        loaded.append(key)
        if key == 3:
            fourth.set()

    batches = prefetch(load, range(100))
    for _ in range(3):
        next(batches)
    assert fourth.wait(60)
    time.sleep(0.05)  # for more, if it ran far ahead
    assert len(loaded) <= 6
    batches.close()
    time.sleep(0.05)
    assert len(loaded) <= 6


def test_an_error_in_loading_is_raised_where_the_batch_is_asked_for():
    def load(key):
        if key == 2:
            raise OSError("unreadable")
        return key

    batches = prefetch(load, range(9))
    assert [next(batches), next(batches)] == [0, 1]
    with pytest.raises(OSError, match="unreadable"):
        next(batches)


def test_threads_end_with_the_batches():
    before = threading.active_count()
    list(prefetch(str, range(3)))
    next(batches := prefetch(str, range(9)))
    batches.close()
    assert threading.active_count() == before
