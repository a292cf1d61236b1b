"""Which fits are the same."""

import functools
import importlib.util
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from sklearn.base import clone

import skhisto
from skhisto import Checkpoint, PatchCNNClassifier, ReferenceCNN, StainJitter
from skhisto._classifier.fingerprint import describe, fingerprint
from skhisto._data.training_data import check_fit_data

X = np.arange(8 * 4 * 4 * 3, dtype=np.uint8).reshape(8, 4, 4, 3)
Y = np.arange(8) % 2


def fingerprint_of(params=None, X=X, y=Y, seed=0, **data):
    classifier = PatchCNNClassifier(**(params or {}))
    validation = data.pop("validation", (None, None, None))
    fields = {"sample_weight": None, "groups": None} | data
    checked = check_fit_data(
        classifier, X, y, **fields, validation=validation, is_continued=False
    )
    return fingerprint(classifier, checked, seed=seed, is_continued=False)


FITS = {
    "default": {},
    "a parameter": {"params": {"learning_rate": 0.1}},
    "an architecture": {"params": {"architecture": ReferenceCNN()}},
    "a parameter of it": {"params": {"architecture": ReferenceCNN(filters=(3,))}},
    "augmentation": {"params": {"augment": StainJitter(scale=0.3)}},
    "class weights": {"params": {"class_weight": {0: 1, 1: 2}}},
    "other class weights": {"params": {"class_weight": {0: 2, 1: 1}}},
    "a callback": {"params": {"callbacks": {"TerminateOnNaN": {}}}},
    "an instance": {"params": {"callbacks": [keras.callbacks.TerminateOnNaN()]}},
    "a seed": {"seed": 1},
    "no seed": {"seed": None},
    "a pixel": {"X": np.where(np.arange(8 * 48).reshape(X.shape) == 99, 0, X).astype("u1")},
    "numbers": {"X": X.astype("f4") / 255},
    "the order": {"X": X[::-1], "y": Y[::-1]},
    "fewer": {"X": X[:6], "y": Y[:6]},
    "labels": {"y": 1 - Y},
    "names of classes": {"y": np.array(["a", "b"])[Y]},
    "weights": {"sample_weight": 1 + Y},
    "a weight of zero": {"sample_weight": np.arange(8) > 0},
    "groups": {"groups": Y // 2},
    "validation": {"validation": (X[:2], Y[:2], None)},
    "other validation": {"validation": (X[2:4], Y[2:4], None)},
    "validation weights": {"validation": (X[:2], Y[:2], [1, 2])},
}  # fmt: skip


def test_different_fits_have_different_fingerprints():
    found = {name: fingerprint_of(**fit) for name, fit in FITS.items()}
    assert len(set(found.values())) == len(FITS)
    assert all(len(value) == 32 and value.isalnum() for value in found.values())


@pytest.mark.parametrize(
    "params",
    [
        {"verbose": 1},
        {"tta": "d4"},
        {"engine": "openvino"},
        {"random_state": 7},
        {"checkpoint": Checkpoint("folder")},
        {"learning_rate": np.float64(1e-3), "epochs": np.int64(10)},
    ],
)
def test_what_does_not_change_the_result_does_not_change_the_fingerprint(params):
    assert fingerprint_of(params) == fingerprint_of()


def test_another_version_of_skhisto_is_another_fit(monkeypatch):
    before = fingerprint_of()
    monkeypatch.setattr(skhisto, "__version__", "9.9")
    assert fingerprint_of() != before


def test_clones_and_copies_are_the_same_fit():
    params = {
        "architecture": ReferenceCNN(filters=[3], dense_units=2),
        "augment": ["d4", StainJitter()],
        "optimizer": "sgd",
        "optimizer_params": {"momentum": 0.9, "nesterov": True},
    }
    copied = clone(PatchCNNClassifier(**params)).get_params(deep=False)
    copied["optimizer_params"] = {"nesterov": True, "momentum": 0.9}
    assert fingerprint_of(copied, X=X.copy()) == fingerprint_of(params)


def module_from(path, text):
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


TEXT = """
import numpy as np
STRENGTH = 0.1
def helper(x):
    return x + STRENGTH
def augment(patches, rng, share=2):
    def inner(x):
        return helper(x) * share
    return inner(patches) if share else augment(patches, rng)
class Augment:
    def __init__(self, strength=1):
        self.strength = strength
    def __call__(self, patches, rng):
        return patches * self.strength
def made(value):
    return lambda patches, rng: patches + value
"""
CHANGES = [
    ("0.1", "0.2"),
    ("x + S", "x - S"),
    ("share=2", "share=3"),
    (") * sh", ") / sh"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_functions_are_compared_by_code_and_by_what_they_read(tmp_path, change):
    one = module_from(tmp_path / "user_code.py", TEXT)
    same = module_from(tmp_path / "user_code.py", "# moved\n" + TEXT)
    other = module_from(tmp_path / "user_code.py", TEXT.replace(*change))
    assert describe(one.augment) == describe(same.augment) != describe(other.augment)


def test_objects_closures_and_partial_functions_are_compared_by_content(tmp_path):
    code = module_from(tmp_path / "user_code.py", TEXT)
    text = TEXT.replace("patches * self", "patches / self")
    other = module_from(tmp_path / "user_code.py", text)
    assert describe(code.Augment(1)) == describe(code.Augment(1))
    assert describe(code.Augment(1)) != describe(code.Augment(2))
    assert describe(code.Augment(1)) != describe(other.Augment(1))
    assert describe(code.made(1)) == describe(code.made(1)) != describe(code.made(2))
    partial = functools.partial(code.augment, share=1)
    assert describe(partial) == describe(functools.partial(code.augment, share=1))
    assert describe(partial) != describe(functools.partial(code.augment, share=2))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        ("1", 1),
        ([1, [2]], [[1], 2]),
        ({"a": 1}, {"a": 2}),
        ({1: "a"}, {"1": "a"}),
        (np.arange(3), np.arange(3.0)),
        (np.arange(4), np.arange(4).reshape(2, 2)),
        (np.array(["a"], object), np.array(["b"], object)),
        (np.sin, np.cos),
        (len, print),
        (b"a", "a"),
    ],
)
def test_values_of_other_types_are_other_values(one, other):
    descriptions = [json.dumps(describe(value)) for value in (one, other)]
    assert descriptions[0] != descriptions[1]


def test_an_object_may_contain_itself():
    values = [1]
    values.append(values)
    assert describe(values) == describe(values)


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import user_code
from skhisto import StainJitter
from skhisto._classifier.fingerprint import describe
print(describe([{"b", "a", "c"}, user_code.augment, user_code.Augment(), StainJitter()]))
"""


def test_descriptions_are_the_same_in_every_process(tmp_path):
    (tmp_path / "user_code.py").write_text(TEXT)
    found = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
