"""Every public object has an example that runs."""

import doctest

import pytest

import skhisto


@pytest.mark.parametrize("name", skhisto.__all__)
def test_the_examples_run(name):
    public = getattr(skhisto, name)
    found = [
        test for test in doctest.DocTestFinder().find(public, name) if test.examples
    ]
    assert found, f"{name} has no example"
    for test in found:
        assert doctest.DocTestRunner().run(test).failed == 0
