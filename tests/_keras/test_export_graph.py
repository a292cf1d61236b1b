"""Views of exported functions."""

import numpy as np
import pytest

from skhisto.patches._views import view


@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_views_in_the_graph_are_those_of_numpy(number, dtype):
    import tensorflow as tf

    from skhisto._keras import export_graph

    X = np.arange(2 * 5 * 5 * 3).reshape(2, 5, 5, 3).astype(dtype)
    seen = export_graph.view(tf.constant(X), number).numpy()
    np.testing.assert_array_equal(seen, view(X, number))
