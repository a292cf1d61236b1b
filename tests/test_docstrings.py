"""Every public object has an example that runs."""

import doctest

import pytest

import skhisto
from skhisto import architectures, augmentation, clusters, metrics, slides

PUBLIC = [getattr(skhisto, name) for name in skhisto.__all__]
PUBLIC += [
    architectures.Architecture,
    augmentation.Augmentation,
    clusters.dask_backend,
    slides.WindowGrid,
    slides.tissue_mask,
]
PUBLIC += [getattr(metrics, name) for name in metrics.__all__]


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.__name__)
def test_the_examples_run(public):
    name = public.__name__
    found = [
        test for test in doctest.DocTestFinder().find(public, name) if test.examples
    ]
    assert found, f"{name} has no example"
    for test in found:
        assert doctest.DocTestRunner().run(test).failed == 0
