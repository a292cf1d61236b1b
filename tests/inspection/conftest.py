import matplotlib
import matplotlib.pyplot as plt
import pytest

from skhisto import PatchCNNClassifier, ReferenceCNN


@pytest.fixture(autouse=True)
def closed_figures():
    """Draw without a screen, and leave no figure open."""
    matplotlib.use("Agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def fitted(bright_or_dark):
    X, y, _ = bright_or_dark
    return PatchCNNClassifier(
        architecture=ReferenceCNN(filters=(4,), dense_units=8),
        epochs=8,
        learning_rate=0.01,
        random_state=0,
    ).fit(X, y)
