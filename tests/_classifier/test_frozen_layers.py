"""Which batch normalisation keeps its statistics in a network around another one."""

import keras
import numpy as np
import pytest

from skhisto import PatchCNNClassifier


def pretrained_backbone(patch_shape):
    """A network with batch normalisation whose statistics no patch has."""
    inputs = keras.Input(patch_shape)
    norm = keras.layers.BatchNormalization(name="norm")
    backbone = keras.Model(inputs, norm(inputs))
    norm.moving_mean.assign(np.full(patch_shape[-1], 7.0, np.float32))
    return backbone


def with_backbone(trainable, **arguments):
    def build(patch_shape, n_outputs):
        backbone = pretrained_backbone(patch_shape)
        backbone.trainable = trainable
        inputs = keras.Input(patch_shape)
        x = keras.layers.GlobalAveragePooling2D()(backbone(inputs, **arguments))
        return keras.Model(inputs, keras.layers.Dense(n_outputs)(x))

    return build


class InferenceOnly(keras.layers.Layer):
    """Applies batch normalisation as in prediction, inside of its own `call`."""

    def build(self, shape):
        self.norm = keras.layers.BatchNormalization(name="norm")
        self.norm.build(shape)
        self.norm.moving_mean.assign(np.full(shape[-1], 7.0, np.float32))

    def call(self, inputs):
        return self.norm(inputs, training=False)


def with_inner_call(patch_shape, n_outputs):
    return keras.Sequential(
        [
            InferenceOnly(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(n_outputs),
        ]
    )


@pytest.mark.filterwarnings("ignore:The network cannot be stored")
@pytest.mark.parametrize(
    ("architecture", "keeps_statistics"),
    [
        (with_backbone(trainable=False), True),
        (with_backbone(trainable=True), False),
        # Keras replaces the argument by that of the outer network.
        (with_backbone(trainable=True, training=False), False),
        (with_inner_call, True),
    ],
    ids=["frozen", "trained", "training=False", "training=False in call"],
)
def test_batch_norm_keeps_its_statistics_if_it_is_frozen(
    architecture, keeps_statistics, bright_or_dark
):
    X, y, _ = bright_or_dark
    clf = PatchCNNClassifier(
        architecture=architecture, epochs=1, augment=None, random_state=0
    ).fit(X, y)
    (name,) = [name for name in clf.weights_ if name.endswith("norm/moving_mean")]
    assert (clf.weights_[name] == 7).all() == keeps_statistics
