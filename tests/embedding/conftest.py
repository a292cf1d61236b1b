"""Small backbones."""

import pytest

from skhisto import PatchCNNClassifier, ReferenceCNN


@pytest.fixture(scope="session")
def trained(bright_or_dark):
    """A fitted classifier."""
    X, y, _ = bright_or_dark
    small = ReferenceCNN(filters=(4,), dense_units=8)
    classifier = PatchCNNClassifier(
        architecture=small, epochs=4, learning_rate=0.01, random_state=0
    )
    return classifier.fit(X, y)
