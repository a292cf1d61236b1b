import matplotlib
import matplotlib.pyplot as plt
import pytest

from skhisto import make_patches


@pytest.fixture(autouse=True)
def closed_figures():
    """Draw without a screen, and leave no figure open."""
    matplotlib.use("Agg")
    yield
    plt.close("all")


@pytest.fixture
def tissue():
    """120 patches of 48x48 pixels without any problem, their labels and slides."""
    return make_patches(120, size=48, random_state=0, return_groups=True)
