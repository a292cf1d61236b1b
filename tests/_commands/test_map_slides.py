import copy
import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhisto import CenterCrop, PatchEmbedder, ProbabilityMap, Slide, probability_map
from skhisto._commands import map_slides, partial_map
from skhisto._commands.main import main

from .conftest import N_TILES, write_slide


def tiles_done(err):
    return [int(n) for n in re.findall(r"a: (\d+) of \d+ tiles done", err)]


@pytest.fixture
def interrupt(monkeypatch):
    """Raise an error instead of computing a tile after some tiles."""

    def interrupt(n_tiles, error=KeyboardInterrupt):
        score = map_slides.score_tiles

        def interrupted(*args):
            for n, tile in enumerate(score(*args)):
                if n == n_tiles:
                    raise error
                yield tile

        monkeypatch.setattr(map_slides, "score_tiles", interrupted)
        return lambda: monkeypatch.setattr(map_slides, "score_tiles", score)

    return interrupt


def test_the_map_is_that_of_probability_map(run, slide_file, fitted_cnn, tmp_path):
    code, err = run(slide_file)
    assert code == 0
    expected = probability_map(
        fitted_cnn, Slide(slide_file), 4, mask=None, max_memory=0.25
    )
    found = ProbabilityMap.load(tmp_path / "out" / "a.npz")
    assert found.probabilities.tobytes() == expected.probabilities.tobytes()
    assert found.slide_name == "a"
    assert found.model_fingerprint == expected.model_fingerprint
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a.npz"]
    assert tiles_done(err) == [*range(1, N_TILES + 1)]
    assert f"{N_TILES} tile(s), way: dense. All layers are unpadded" in err


def test_logs_have_lines_and_no_carriage_returns(run, slide_file):
    _, err = run(slide_file)
    assert "\r" not in err
    assert "\x1b" not in err


def test_a_terminal_shows_progress_in_one_line(run, slide_file, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    _, err = run(slide_file)
    line = next(line for line in err.split("\n") if "tiles done" in line)
    assert line.count("\r\x1b[K") == N_TILES
    assert "left" in line


def test_exports_are_written_beside_the_map(run, slide_file, tmp_path):
    pytest.importorskip("shapely")
    code, _ = run(
        slide_file, options=["--csv", "--geojson", "--png", "--threshold", "0.2"]
    )
    assert code == 0
    out = tmp_path / "out"
    result = ProbabilityMap.load(out / "a.npz")
    frame = pd.read_csv(out / "a.csv", dtype=result.to_frame().dtypes.to_dict())
    pd.testing.assert_frame_equal(frame, result.to_frame())
    expected = json.loads(json.dumps(result.to_geojson(threshold=0.2)))
    assert json.loads((out / "a.geojson").read_text()) == expected
    assert expected["features"]
    with Image.open(out / "a.png") as picture:
        assert min(picture.size) > 500


def test_exports_of_a_finished_map_are_written_without_computing(
    run, slide_file, tmp_path, monkeypatch
):
    run(slide_file)
    monkeypatch.setattr(map_slides, "score_tiles", None)
    code, err = run(slide_file, options=["--csv"])
    assert code == 0
    assert "a: already mapped in" in err
    assert (tmp_path / "out" / "a.csv").exists()


def test_an_interrupted_run_continues_by_tile(run, slide_file, interrupt, tmp_path):
    run(slide_file)
    expected = (tmp_path / "out" / "a.npz").read_bytes()
    (tmp_path / "out" / "a.npz").unlink()
    restore = interrupt(2)
    code, err = run(slide_file)
    assert code == 130
    assert tiles_done(err) == [1, 2]
    assert "Run the same command again" in err
    assert not (tmp_path / "out" / "a.npz").exists()
    restore()
    code, err = run(slide_file)
    assert code == 0
    assert f"2 of {N_TILES} tiles were done in an earlier run" in err
    assert tiles_done(err) == [*range(3, N_TILES + 1)]
    assert (tmp_path / "out" / "a.npz").read_bytes() == expected
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a.npz"]


def test_tiles_that_are_complete_need_no_computation(
    run, slide_file, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(ProbabilityMap, "save", lambda *_: 1 / 0)
        code, err = run(slide_file)
    assert code == 1
    assert "a: failed: ZeroDivisionError" in err
    code, err = run(slide_file)
    assert code == 0
    assert tiles_done(err) == []


def test_damaged_tiles_are_computed_again(run, slide_file, interrupt, tmp_path):
    run(slide_file)
    expected = (tmp_path / "out" / "a.npz").read_bytes()
    (tmp_path / "out" / "a.npz").unlink()
    restore = interrupt(3)
    run(slide_file)
    first, second, _ = sorted(tmp_path.glob("out/a.partial/*/tile-*.npz"))
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(content)
    second.write_bytes(b"")
    restore()
    code, err = run(slide_file)
    assert code == 0
    assert f"1 of {N_TILES} tiles were done" in err
    assert (tmp_path / "out" / "a.npz").read_bytes() == expected


@pytest.mark.parametrize(
    "options",
    [["--stride", "5"], ["--mpp", "1.5"], ["--max-memory", "0.2"], ["--mask"]],
    ids=str,
)
def test_tiles_of_other_settings_are_not_used(run, slide_file, interrupt, options):
    restore = interrupt(2)
    run(slide_file)
    restore()
    code, err = run(slide_file, options=options)
    assert code == 0
    assert "earlier run" not in err


def test_tiles_of_another_model_or_slide_are_not_used(
    run, slide_file, interrupt, fitted_cnn, save, tmp_path
):
    restore = interrupt(2)
    run(slide_file)
    restore()
    other = save(clone(fitted_cnn))
    assert run(slide_file, model=other)[0] == 2  # not fitted
    weights = {name: 2 * value for name, value in fitted_cnn.weights_.items()}
    changed = save(_with(fitted_cnn, weights_=weights))
    code, err = run(slide_file, model=changed)
    assert code == 0
    assert "earlier run" not in err
    (tmp_path / "out" / "a.npz").unlink()
    restore = interrupt(2)
    run(slide_file)
    restore()
    write_slide(slide_file, seed=1)
    code, err = run(slide_file)
    assert code == 0
    assert "earlier run" not in err


def _with(estimator, **attributes):
    changed = copy.copy(estimator)
    vars(changed).update(attributes)
    return changed


def test_tiles_of_another_version_are_not_used(run, slide_file, interrupt, monkeypatch):
    restore = interrupt(2)
    run(slide_file)
    restore()
    monkeypatch.setattr(partial_map.skhisto, "__version__", "999")
    assert "earlier run" not in run(slide_file)[1]


def test_a_map_of_other_settings_is_kept_unless_overwrite(run, slide_file, tmp_path):
    run(slide_file)
    file = tmp_path / "out" / "a.npz"
    before = file.read_bytes()
    code, err = run(slide_file, options=["--stride", "6"])
    assert code == 1
    assert "is a different map. It differs in: origin, stride, tissue." in err
    assert "--overwrite" in err
    assert file.read_bytes() == before
    code, _ = run(slide_file, options=["--stride", "6", "--overwrite"])
    assert code == 0
    assert ProbabilityMap.load(file).stride == 6


def test_a_file_that_is_no_map_is_kept_unless_overwrite(run, slide_file, tmp_path):
    file = tmp_path / "out" / "a.npz"
    file.parent.mkdir()
    file.write_text("mine")
    code, err = run(slide_file)
    assert code == 1
    assert "cannot be read as a ProbabilityMap" in err
    assert file.read_text() == "mine"
    assert run(slide_file, options=["--overwrite"])[0] == 0


def test_nothing_else_in_the_folder_of_tiles_is_removed(run, slide_file, tmp_path):
    mine = tmp_path / "out" / "a.partial" / "notes.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    assert run(slide_file)[0] == 0
    assert [*mine.parent.iterdir()] == [mine]


def test_a_broken_slide_does_not_stop_the_others(run, slide_file, tmp_path):
    broken = tmp_path / "broken.tif"
    broken.write_bytes(b"no slide")
    code, err = run(broken, slide_file, tmp_path / "missing.tif")
    assert code == 1
    assert "broken: failed: " in err
    assert "2 of 3 slides failed: broken, missing" in err
    assert (tmp_path / "out" / "a.npz").exists()


def test_a_resolution_is_used_where_the_file_states_none(run, slide_file, tmp_path):
    unknown = write_slide(tmp_path / "b.tif", mpp=None)
    code, err = run(slide_file, unknown)
    assert code == 1
    assert "b: failed: The resolution of the slide 'b' is unknown" in err
    code, _ = run(slide_file, unknown, options=["--slide-mpp", "0.5"])
    assert code == 0
    maps = [ProbabilityMap.load(tmp_path / "out" / f"{name}.npz") for name in "ab"]
    assert [m.mpp for m in maps] == pytest.approx([0.97, 0.5], rel=1e-4)


def test_names_replace_those_of_files(run, slide_file, tmp_path):
    code, _ = run(slide_file, options=["--names", "x"])
    assert code == 0
    assert ProbabilityMap.load(tmp_path / "out" / "x.npz").slide_name == "x"


@pytest.mark.parametrize(
    ("slides", "options", "message"),
    [
        (["a.tif", "sub/A.tif"], [], "Several slides have the name A, a"),
        (["a.tif", "b.tif"], ["--names", "x"], "got 1 names and 2 slides"),
        (["a.tif"], ["--names", "../x"], "'../x' is not a valid file name"),
        (["a.tif"], ["--stride", "0"], "--stride: 0 is not a positive integer"),
        (["a.tif"], ["--stride", "x"], "--stride: x is not a positive integer"),
        (["a.tif"], ["--mpp", "352"], "argument --mpp: mpp must be a number from"),
        (["a.tif"], ["--threshold", "2"], "--threshold: 2 is not between 0 and 1"),
        (["a.tif"], ["--max-memory", "-1"], "--max-memory: -1 is not a positive num"),
        (["a.tif"], ["--max-memory", "inf"], "--max-memory: inf is not a positive"),
        (["a.tif"], ["--class", "x"], "--class must be one of bright, dark, got x"),
        ([], [], "the following arguments are required: SLIDE"),
    ],
)
def test_wrong_arguments_are_errors_before_any_work(
    run, tmp_path, slides, options, message
):
    code, err = run(*slides, options=options)
    assert code == 2
    assert message in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--csv", "--geojson", "--png"])
def test_exports_never_replace_annotations_or_slides(
    run, slide_file, tmp_path, monkeypatch, option
):
    monkeypatch.chdir(tmp_path)
    code, err = run(slide_file.name, options=[option, "--out", "."])
    assert code == 2
    assert "--out is '.', the folder of a slide" in err
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_a_folder_that_cannot_be_made_is_an_error(run, slide_file, tmp_path):
    (tmp_path / "out").write_text("")
    code, err = run(slide_file)
    assert code == 2
    assert "The folder --out cannot be created" in err


@pytest.mark.parametrize(
    ("option", "library", "extra"),
    [("--geojson", "shapely", "slides"), ("--png", "matplotlib", "plot")],
)
def test_missing_libraries_are_errors_before_any_work(
    run, slide_file, monkeypatch, option, library, extra
):
    monkeypatch.setattr(
        "skhisto._commands.map_files.find_spec",
        lambda name: None if name == library else name,
    )
    code, err = run(slide_file, options=[option])
    assert code == 2
    assert f'pip install "skhisto[{extra}]"' in err


def test_exports_of_several_classes_need_one_of_them(
    run, slide_file, save, bright_or_dark, tmp_path, fitted_cnn
):
    X, _, _ = bright_or_dark
    multiclass = clone(fitted_cnn).set_params(epochs=1)
    model = save(multiclass.fit(X, np.arange(60) % 3))
    code, err = run(slide_file, options=["--png"], model=model)
    assert code == 2
    assert "has the classes 0, 1, 2. --geojson and --png need one" in err
    code, _ = run(slide_file, options=["--png", "--class", "2"], model=model)
    assert code == 0
    assert (tmp_path / "out" / "a.png").exists()


def test_a_pipeline_with_an_embedder_is_mapped_and_continued(
    run, slide_file, save, bright_or_dark, interrupt, fitted_cnn, tmp_path
):
    X, y, _ = bright_or_dark
    pipeline = make_pipeline(
        PatchEmbedder(fitted_cnn), StandardScaler(), LogisticRegression()
    ).fit(X, y)
    model, options = save(pipeline), ["--max-memory", "0.03"]
    code, err = run(slide_file, model=model, options=options)
    assert code == 0, err
    file = tmp_path / "out" / "a.npz"
    expected = file.read_bytes()
    assert ProbabilityMap.load(file).way == "windows"
    assert "already mapped" in run(slide_file, model=model, options=options)[1]
    file.unlink()
    restore = interrupt(2)
    run(slide_file, model=model, options=options)
    restore()
    _, err = run(slide_file, model=model, options=options)
    assert "2 of" in err
    assert "earlier run" in err
    assert file.read_bytes() == expected


def test_a_crop_needs_no_window_and_other_pipelines_can_be_given_one(
    run, slide_file, save, bright_or_dark, fitted_cnn, tmp_path
):
    X, y, _ = bright_or_dark
    cnn = clone(fitted_cnn)
    model = save(make_pipeline(CenterCrop(10), cnn).fit(X, y))
    assert run(slide_file, model=model)[0] == 0
    options = ["--window", "14", "--overwrite"]
    assert run(slide_file, model=model, options=options)[0] == 0
    found = ProbabilityMap.load(tmp_path / "out" / "a.npz")
    assert found.window == pytest.approx((14, 14))


def test_a_model_that_is_no_classifier_is_an_error(run, slide_file, save):
    model = save(StandardScaler().fit([[1.0]]))
    code, err = run(slide_file, model=model)
    assert code == 2
    assert "The model cannot be used for maps: A map needs a classifier" in err


def test_a_model_without_a_fingerprint_is_an_error(run, slide_file, monkeypatch):
    monkeypatch.setattr(map_slides, "fingerprint_of", lambda model: "")
    code, err = run(slide_file)
    assert code == 2
    assert "The model has no fingerprint" in err


def test_help_lists_the_exit_codes(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["map", "--help"])
    assert exit_.value.code == 0
    assert "130  interrupted by Ctrl-C" in capsys.readouterr().out
