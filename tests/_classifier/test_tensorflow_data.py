"""Tensors are patches. Data sets are refused, with advice that turns them into patches."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from skhisto import PatchCNNClassifier, make_patches


class Batches(keras.utils.PyDataset):
    def __init__(self, X, y):
        super().__init__()
        self.X, self.y = X, y

    def __len__(self):
        return 2

    def __getitem__(self, index):
        rows = slice(10 * index, 10 * index + 10)
        return self.X[rows], self.y[rows]


def batches_of(X, y):
    return {
        "a tf.data.Dataset": tf.data.Dataset.from_tensor_slices((X, y)).batch(10),
        "a Keras PyDataset": Batches(X, y),
    }


@pytest.mark.parametrize("what", ["a tf.data.Dataset", "a Keras PyDataset"])
def test_the_advice_on_data_sets_gives_arrays(what):
    X, y = make_patches(20, size=12, random_state=0)
    dataset = batches_of(X, y)[what]
    with pytest.raises(TypeError, match=f"array or a PatchArray, got {what}") as error:
        PatchCNNClassifier().fit(dataset, y)
    advice = str(error.value).split("X, y = ")[1].split(". PatchLoader")[0]
    collected_X, collected_y = eval(advice, {"np": np, "dataset": dataset})
    np.testing.assert_array_equal(collected_X, X)
    np.testing.assert_array_equal(collected_y, y)


def test_tensors_are_predicted_like_arrays(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=1).fit(tf.constant(X), y)
    np.testing.assert_array_equal(
        tiny_cnn.predict_proba(tf.constant(X)), tiny_cnn.predict_proba(X)
    )
