import pickle
import sqlite3

import numpy as np
import pytest
from joblib import Parallel, delayed
from numpy.testing import assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skhisto import PatchEmbedder
from skhisto.embedding._backbones import NetworkBackbone
from skhisto.embedding._store import FeatureStore, keys_of

IDENTITY = {"weights": "abc", "views": [0]}


def store(folder, n_features=3):
    return FeatureStore(folder, IDENTITY, n_features)


def test_what_was_written_is_read_and_the_rest_is_unknown(tmp_path):
    features = np.arange(6, dtype=np.float32).reshape(2, 3)
    store(tmp_path / "new" / "folder").write([b"a", b"b"], features)
    read = store(tmp_path / "new" / "folder").read([b"b", b"c", b"a"])
    assert read[1] is None
    assert_array_equal(np.stack([read[2], read[0]]), features)


def test_other_settings_have_other_files(tmp_path):
    store(tmp_path).write([b"a"], np.ones((1, 3), np.float32))
    other = FeatureStore(tmp_path, IDENTITY | {"views": [0, 1]}, 3)
    assert other.read([b"a"]) == [None]


def test_keys_tell_pixels_shapes_and_dtypes_apart():
    patches = np.zeros((2, 2, 8, 1), np.uint8)
    patches[1, 0, 0] = 1
    different = [
        *keys_of(patches),
        *keys_of(patches[:1].reshape(1, 4, 4, 1)),
        *keys_of(patches[:1].reshape(1, 2, 4, 2).view(np.uint16)[..., :1]),
    ]
    assert len(set(different)) == 4
    assert keys_of(patches[:, :, ::-1][:, :, ::-1]) == keys_of(patches)


def write_some(folder, start):
    keys = [str(n).encode() for n in range(start, start + 60)]
    for key in keys:
        value = np.full((1, 3), int(key), np.float32)
        store(folder).write([key], value)
        assert store(folder).read([key])[0][0] == int(key)


def test_processes_write_at_the_same_time(tmp_path):
    # The ranges overlap.
    Parallel(n_jobs=3)(delayed(write_some)(tmp_path, n) for n in (0, 20, 40, 60))
    keys = [str(n).encode() for n in range(120)]
    assert [row[0] for row in store(tmp_path).read(keys)] == list(range(120))
    assert len(list(tmp_path.iterdir())) == 1


def test_an_error_while_writing_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="zip"):
        store(tmp_path).write([b"a", b"b"], np.ones((1, 3), np.float32))
    assert store(tmp_path).read([b"a"]) == [None]


def test_a_corrupt_file_is_one_clear_error(tmp_path):
    store(tmp_path).write([b"a"], np.ones((1, 3), np.float32))
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"not a database" * 1000)
    with pytest.raises(ValueError, match=r"sqlite' are corrupt: .* Delete the file"):
        store(tmp_path).read([b"a"])


def test_features_of_another_length_are_corrupt(tmp_path):
    store(tmp_path).write([b"a"], np.ones((1, 3), np.float32))
    with pytest.raises(ValueError, match="corrupt: it contains features of another"):
        store(tmp_path, n_features=4).read([b"a"])


def test_a_folder_that_cannot_be_used_is_a_clear_error(tmp_path):
    (tmp_path / store(tmp_path).path.name).mkdir()
    with pytest.raises(OSError, match="cannot be used: unable to open"):
        store(tmp_path).read([b"a"])


def test_the_settings_can_be_read(tmp_path):
    store(tmp_path).write([b"a"], np.ones((1, 3), np.float32))
    with sqlite3.connect(store(tmp_path).path) as connection:
        (settings,) = connection.execute("SELECT json FROM settings").fetchone()
    connection.close()
    assert '"weights": "abc"' in settings


@pytest.fixture
def n_embedded(monkeypatch):
    """A list of the numbers of patches that networks have embedded."""
    numbers = []
    features = NetworkBackbone.features

    def counted(self, patches, views):
        numbers.append(len(patches))
        return features(self, patches, views)

    monkeypatch.setattr(NetworkBackbone, "features", counted)
    return numbers


def test_a_search_over_heads_embeds_every_patch_once(
    trained, bright_or_dark, tmp_path, n_embedded
):
    X, y, _ = bright_or_dark
    expected = PatchEmbedder(trained).fit_transform(X)
    n_embedded.clear()
    embedder = PatchEmbedder(trained, memory=tmp_path)
    pipeline = make_pipeline(embedder, LogisticRegression())
    search = GridSearchCV(pipeline, {"logisticregression__C": [0.01, 1, 100]}, cv=4)
    search.fit(X, y)
    assert search.score(X, y) > 0.9
    assert sum(n_embedded) == len(X)
    assert_array_equal(search.best_estimator_[0].transform(X), expected)
    assert sum(n_embedded) == len(X)


def test_equal_patches_are_embedded_once(trained, bright_or_dark, tmp_path, n_embedded):
    X, _, _ = bright_or_dark
    PatchEmbedder(trained, memory=tmp_path).fit_transform(X[[1, 1, 2, 1]])
    assert n_embedded == [2]


def test_settings_that_change_features_are_told_apart(
    trained, bright_or_dark, tmp_path
):
    X, y, _ = bright_or_dark
    other = pickle.loads(pickle.dumps(trained)).set_params(random_state=1).fit(X, y)
    for backbone, settings in [
        (trained, {}),
        (trained, {"views": "d4"}),
        (trained, {"precision": "bfloat16"}),
        (other, {}),
    ]:
        embedder = PatchEmbedder(backbone, **settings).fit(X)
        stored = PatchEmbedder(backbone, memory=tmp_path, **settings).fit(X)
        for _ in range(2):
            assert_array_equal(stored.transform(X), embedder.transform(X))
    assert len(list(tmp_path.iterdir())) == 4
