import dataclasses
import io
import pickle

import numpy as np
import pandas as pd
import pytest


def test_arrays_get_their_dtypes_and_are_read_only(make_map):
    result = make_map()
    assert result.probabilities.dtype == np.float32
    assert result.tissue.dtype == bool
    for array in (result.probabilities, result.classes, result.tissue):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.stride = 3


def test_the_arrays_of_the_caller_stay_writeable_and_are_not_copied(make_map):
    probabilities = np.full((1, 1, 2), 0.5, np.float32)
    result = make_map(probabilities=probabilities, tissue=[[True]])
    assert np.shares_memory(result.probabilities, probabilities)
    assert probabilities.flags.writeable


def test_of_two_classes_the_second_is_the_default(make_map):
    result = make_map()
    np.testing.assert_array_equal(result.of(), result.probabilities[..., 1])
    np.testing.assert_array_equal(result.of("normal"), result.probabilities[..., 0])


def test_of_several_classes_one_must_be_given(make_multiclass_map):
    result = make_multiclass_map()
    np.testing.assert_array_equal(result.of(2), np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"class_ must be one of \[0, 1, 2\]\."):
        result.of()
    with pytest.raises(ValueError, match=r"one of \[0, 1, 2\], got 'tumour'"):
        result.of("tumour")


def test_boxes_are_cells_row_by_row(make_map):
    np.testing.assert_array_equal(
        make_map().boxes(),
        [
            [31.5, 20, 93.75, 82.25],
            [93.75, 20, 156, 82.25],
            [31.5, 82.25, 93.75, 144.5],
            [93.75, 82.25, 156, 144.5],
        ],
    )


def test_lengths_in_microns_need_a_resolution(make_map):
    result = make_map()
    assert result.stride_um == 31.125
    assert result.window_um == (93.375, 93.375)
    unknown = make_map(mpp=None)
    assert unknown.stride_um is None
    assert unknown.window_um is None


def test_the_frame_has_the_columns_of_wsinfer_and_the_scored_cells(make_map):
    frame = make_map().to_frame()
    columns = ["minx", "miny", "width", "height", "prob_normal", "prob_tumour"]
    assert frame.columns.tolist() == columns
    assert frame["minx"].tolist() == [31.5, 93.75, 31.5]
    assert frame["prob_tumour"].tolist() == pytest.approx([0.1, 0.9, 0.2])
    text = frame.to_csv(index=False)
    pd.testing.assert_frame_equal(
        pd.read_csv(io.StringIO(text)).astype(frame.dtypes.to_dict()), frame
    )


def test_a_map_survives_pickling(make_map):
    result = pickle.loads(pickle.dumps(make_map()))
    np.testing.assert_array_equal(result.probabilities, make_map().probabilities)


def test_labels_of_dtype_object_become_plain_strings(make_map):
    labels = np.array(["normal", "tumour"], object)
    assert make_map(classes=labels).classes.dtype.kind == "U"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"probabilities": np.zeros((2, 2))},
            r"shape \(n_rows, n_columns, n_classes\)",
        ),
        ({"probabilities": np.zeros((0, 2, 2))}, "at least one cell"),
        ({"probabilities": np.full((2, 2, 2), 1.5)}, r"in \[0, 1\].* Got 1.5 to 1.5"),
        ({"classes": ["a"]}, r"need 2 classes, got \['a'\]"),
        ({"classes": ["a", "a"]}, "classes must be unique"),
        ({"classes": [None, "a"]}, "numbers, booleans or strings"),
        ({"tissue": np.ones((2, 3), bool)}, r"of shape \(2, 2\), got \(2, 3\)"),
        ({"tissue": np.ones((2, 2), bool)}, "NaN elsewhere"),
        ({"tissue": np.zeros((2, 2), bool)}, "NaN elsewhere"),
        ({"origin": (0, np.nan)}, "origin must be 2 finite"),
        ({"stride": 0}, "stride must be 1 positive"),
        ({"window": (3,)}, r"window must be 2 positive number\(s\), got \(3,\)"),
        ({"slide_shape": (3, 2.5)}, "slide_shape must be two integers"),
        ({"mpp": 0}, "mpp must be 1 positive"),
        ({"way": "fast"}, "'dense' or 'windows', got 'fast'"),
    ],
)
def test_a_map_that_does_not_fit_together_is_an_error(make_map, changes, message):
    with pytest.raises(ValueError, match=message):
        make_map(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"slide_name": None}, "slide_name must be a string, got None"),
        ({"origin": 3}, "origin must consist of numbers, got 3"),
        ({"mpp": "a"}, "mpp must consist of numbers"),
    ],
)
def test_other_types_are_an_error(make_map, changes, message):
    with pytest.raises(TypeError, match=message):
        make_map(**changes)
