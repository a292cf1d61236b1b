import threading

import pytest


@pytest.fixture
def within_a_minute():
    """Call a function; fail if it takes longer, instead of hanging."""

    def call(function):
        outcome = {}

        def work():
            try:
                outcome["result"] = function()
            except BaseException as error:
                outcome["error"] = error

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(60)
        assert not thread.is_alive(), "it hangs"
        if "error" in outcome:
            raise outcome["error"]
        return outcome["result"]

    return call
