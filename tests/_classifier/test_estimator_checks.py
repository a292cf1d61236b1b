"""scikit-learn's own checks, on the default classifier and on a tiny one."""

from unittest import SkipTest

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skhisto import PatchCNNClassifier, ReferenceCNN


def expected_failures(estimator):
    return {
        "check_sample_weight_equivalence_on_dense_data": (
            "a mini-batch learner sees other batches; rows of weight zero are removed"
        )
    }


# scikit-learn's data are numbers of any size, about which skhisto warns.
@pytest.mark.filterwarnings("ignore:augment='auto' does not change the stains")
@pytest.mark.filterwarnings("ignore:X contains values from")
@parametrize_with_checks(
    [
        PatchCNNClassifier(),
        PatchCNNClassifier(
            architecture=ReferenceCNN(
                filters=(8,), dense_units=16, conv_dropout=0, dense_dropout=0
            ),
            learning_rate=0.01,
        ),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_check_passes(estimator, check):
    try:
        check(estimator)
    except SkipTest:
        # Only where SCIPY_ARRAY_API is not set.
        assert check.func.__name__ == "check_array_api_input"
        raise
