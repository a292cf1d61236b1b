import re
from pathlib import Path

import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skhisto import D4, BrightnessJitter, Checkpoint, StainJitter
from skhisto._commands.errors import UsageError
from skhisto._commands.model_file import TRUSTED, load_model
from skhisto.patches import PatchSource

SAVING = Path(__file__).parents[2] / "docs" / "user_guide" / "saving.rst"


def test_the_trusted_types_are_the_documented_ones():
    table = SAVING.read_text(encoding="utf-8").partition("list-table")[2]
    table = table.partition("get_untrusted_types")[0]
    assert set(re.findall(r"``(skhisto\.\w+)``", table)) == set(TRUSTED)


def test_a_classifier_with_all_options_is_loaded(save, fitted_cnn, tmp_path):
    changed = clone(fitted_cnn).set_params(
        augment=[D4(), StainJitter(), BrightnessJitter()],
        checkpoint=Checkpoint(str(tmp_path)),
    )
    loaded = load_model(save(changed))
    assert repr(loaded) == repr(changed)


def test_other_types_are_named_and_can_be_trusted(save):
    # Any class that scikit-learn does not know serves as an example.
    model = make_pipeline(FunctionTransformer(kw_args={"kind": PatchSource}))
    path = save(model)
    name = f"{PatchSource.__module__}.PatchSource"
    with pytest.raises(UsageError, match=f"not trusted: {name}.*--trust {name}$"):
        load_model(path)
    loaded = load_model(path, trusted=[name])
    assert loaded[0].kw_args == {"kind": PatchSource}


def test_a_missing_file_is_an_error(tmp_path):
    pytest.importorskip("skops")
    with pytest.raises(UsageError, match="The model file"):
        load_model(tmp_path / "m.skops")


@pytest.mark.parametrize("content", [b"", b"no zip file"], ids=str)
def test_another_file_is_an_error(tmp_path, content):
    pytest.importorskip("skops")
    path = tmp_path / "m.skops"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="cannot be read as a skops file"):
        load_model(path)


def test_skops_is_asked_for_if_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "skops", None)
    monkeypatch.setitem(__import__("sys").modules, "skops.io", None)
    with pytest.raises(UsageError, match="pip install skops"):
        load_model(tmp_path / "m.skops")
