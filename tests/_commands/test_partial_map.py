from dataclasses import replace

import numpy as np
import pytest

from skhisto._commands.partial_map import PartialMap, _key, remove_partial_maps
from skhisto.maps._plan import plan_map, score_tiles


@pytest.fixture(scope="module")
def plan(fitted_cnn):
    pixels = np.random.default_rng(0).integers(0, 255, (60, 80, 3)).astype(np.uint8)
    options = {"window": None, "mpp": None, "mask": None, "max_memory": 0.1}
    return plan_map(fitted_cnn, pixels, 4, **options)


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: {"model_fingerprint": "another"},
        lambda plan: {"image": replace(plan.image, fingerprint="another")},
        lambda plan: {"image": replace(plan.image, scale=2.0)},
        lambda plan: {"image": replace(plan.image, shape=(61, 80, 3))},
        lambda plan: {"grid": replace(plan.grid, stride=5)},
        lambda plan: {"tiles": plan.tiles[::-1]},
        lambda plan: {"wanted": ~plan.wanted},
    ],
    ids=["model", "slide", "resolution", "size", "stride", "tiles", "mask"],
)
def test_tiles_are_kept_for_one_plan_only(plan, change):
    assert _key(replace(plan, **change(plan))) != _key(plan)
    assert _key(replace(plan)) == _key(plan)


def test_tiles_are_read_as_they_were_written(plan, tmp_path):
    partial = PartialMap(tmp_path / "a.partial", plan)
    assert partial.done() == []
    tiles = dict(score_tiles(plan))
    for number, values in tiles.items():
        partial.write(number, values)
    again = PartialMap(tmp_path / "a.partial", plan)
    assert again.done() == plan.todo
    for number, values in again.tiles():
        np.testing.assert_array_equal(values, tiles[number])


def test_tiles_of_another_shape_or_dtype_are_not_used(plan, tmp_path):
    partial = PartialMap(tmp_path / "a.partial", plan)
    shape = (*plan.tiles[0].shape, 2)
    partial.write(0, np.zeros(shape))
    partial.write(1, np.zeros((1, *shape[1:]), np.float32))
    assert partial.done() == []


def test_what_a_kill_leaves_is_removed(plan, tmp_path):
    folder = tmp_path / "a.partial"
    partial = PartialMap(folder, plan)
    partial.write(0, next(score_tiles(plan))[1])
    (partial._folder / ".tile-000001.0123.npz").write_bytes(b"")
    remove_partial_maps(folder)
    assert [*tmp_path.iterdir()] == []
    remove_partial_maps(folder)  # nothing is left
