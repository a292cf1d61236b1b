"""What tells patches apart without decoding files."""

import hashlib
import os

import numpy as np
import pytest
from PIL import Image

from skhisto import PatchArray, PatchLoader, StainNormalizer, make_patches
from skhisto.patches._content import content_of
from skhisto.patches._hdf5 import HDF5Rows
from skhisto.patches._image_files import ImageFiles

PATCHES, _ = make_patches(6, size=32, random_state=0)


class Stored:
    """A source of the user's own."""

    def __init__(self, patches):
        self.patches, self.shape, self.dtype = patches, patches.shape, patches.dtype

    def read(self, rows, window):
        return self.patches[rows][:, window[0], window[1]]


def hash_of(patches):
    digest = hashlib.sha256()
    for part in content_of(patches):
        digest.update(part)
    return digest.hexdigest()


@pytest.fixture
def paths(tmp_path):
    found = [str(tmp_path / f"{i}.png") for i in range(6)]
    for path, patch in zip(found, PATCHES, strict=True):
        Image.fromarray(patch).save(path)
    return found


def from_hdf5(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "patches.h5", "w") as file:
        file["x"] = PATCHES
    return PatchArray(HDF5Rows(tmp_path / "patches.h5"))


@pytest.mark.parametrize("kind", ["array", "source", "files", "hdf5", "transformed"])
def test_rows_and_crops_are_told_apart(kind, paths, tmp_path):
    def patches():
        if kind == "array":
            return PATCHES
        if kind == "source":
            return PatchArray(Stored(PATCHES))
        if kind == "hdf5":
            return from_hdf5(tmp_path)
        lazy = PatchLoader(lazy=True).transform(paths)
        return StainNormalizer().fit_transform(lazy) if kind == "transformed" else lazy

    X = patches()
    found = [hash_of(X), hash_of(X[1:]), hash_of(X[::-1]), hash_of(X[[0, 0]])]
    if kind != "array":
        found += [hash_of(X.center_crop(4)), hash_of(X.center_crop((4, 6)))]
    assert len(set(found)) == len(found)
    assert hash_of(X[np.arange(6)]) == found[0]


def test_files_are_told_apart_by_name_size_and_time_and_are_not_read(
    paths, monkeypatch
):
    X = PatchLoader(lazy=True).transform(paths)
    others = PatchLoader(lazy=True).transform([*paths[:5], paths[0]])
    monkeypatch.setattr(ImageFiles, "read", None)
    before = hash_of(X)
    assert hash_of(X) == before
    rest = hash_of(X[1:])
    os.utime(paths[0], ns=(0, 0))
    touched = hash_of(X)
    with open(paths[0], "ab") as file:
        file.write(b" ")
    os.utime(paths[0], ns=(0, 0))
    assert len({before, touched, hash_of(X)}) == 3
    assert hash_of(X[1:]) == rest
    assert hash_of(others) != hash_of(X)


def test_pixels_of_arrays_and_of_other_sources_count():
    changed = PATCHES.copy()
    changed[3, 2, 1, 0] ^= 1
    assert hash_of(PATCHES) == hash_of(np.asfortranarray(PATCHES)) != hash_of(changed)
    assert hash_of(PATCHES) != hash_of(PATCHES.astype(np.uint16))
    sources = [PatchArray(Stored(patches)) for patches in (PATCHES, changed)]
    assert hash_of(sources[0]) != hash_of(sources[1])


def test_what_a_transformer_does_counts(paths):
    X = PatchLoader(lazy=True).transform(paths)
    found = {
        hash_of(StainNormalizer(method=method).fit(PATCHES[rows]).transform(X))
        for method in ("reinhard", "macenko")
        for rows in (slice(0, 3), slice(3, 6))
    }
    assert len(found) == 4
