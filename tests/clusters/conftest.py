import threading

import pytest


@pytest.fixture
def without_hanging():
    """Call a function in a thread, and fail if it does not end."""

    def call(function):
        outcome = {}

        def work():
            try:
                outcome["result"] = function()
            except BaseException as error:
                outcome["error"] = error

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(180)  # a minute on a busy machine is not enough
        assert not thread.is_alive(), "it hangs"
        if "error" in outcome:
            raise outcome["error"]
        return outcome["result"]

    return call
