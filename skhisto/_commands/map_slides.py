"""``python -m skhisto map``: probability maps of slide files."""

import argparse
import math
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from skhisto._commands.errors import UsageError
from skhisto._commands.map_files import (
    check_exports,
    class_to_export,
    write_exports,
)
from skhisto._commands.model_file import load_model
from skhisto._commands.partial_map import PartialMap, remove_partial_maps
from skhisto._commands.progress import Progress, say
from skhisto.maps._fingerprint import fingerprint_of
from skhisto.maps._plan import (
    MapPlan,
    attributes_of_map,
    map_of_tiles,
    plan_map,
    score_tiles,
)
from skhisto.maps._result import ProbabilityMap
from skhisto.maps._windows import use_of_windows
from skhisto.slides import Slide
from skhisto.slides._resolution import check_mpp

_DESCRIPTION = """\
Predict probability maps of slides with a saved model.

The map of each slide is written to DIR/NAME.npz and can be read with
skhisto.ProbabilityMap.load. NAME is the file name without its last suffix. If the
command is interrupted, run it again. Finished tiles and maps are not computed again.
Progress and messages are printed to stderr.
"""
_EPILOG = """\
exit codes:
  0    all slides are mapped
  1    some slides could not be mapped, the other maps are complete
  2    the arguments are wrong, nothing was done
  130  interrupted by Ctrl-C
"""
# Attributes that distinguish an existing map from the requested one.
_IGNORED = {"way", "reason"}


def add_to(commands: Any) -> None:
    """Add the command to a parser."""
    parser = commands.add_parser(
        "map",
        help="predict probability maps of slides",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run, parser=parser)
    parser.add_argument(
        "slides", nargs="+", type=Path, metavar="SLIDE", help="slide files"
    )
    add = parser.add_argument_group("required").add_argument
    add(
        "--model",
        type=Path,
        required=True,
        metavar="FILE",
        help="a fitted model, saved with skops.io.dump",
    )
    add(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder for the results, created if it does not exist (with --csv, "
        "--geojson or --png, it must not be the folder of a slide)",
    )
    _add_settings(parser)
    _add_files(parser)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("settings").add_argument
    add(
        "--stride",
        type=_positive_integer,
        default=32,
        metavar="PIXELS",
        help="distance between windows, at the resolution --mpp (default: 32)",
    )
    add(
        "--window",
        type=_positive_integer,
        metavar="PIXELS",
        help="side of the windows, if the model does not determine it",
    )
    add(
        "--mpp",
        type=_resolution,
        default=0.97,
        metavar="MICRONS",
        help="microns per pixel of the patches that the model was fitted on, used to "
        "read the slides (default: 0.97, as in PatchCamelyon)",
    )
    add(
        "--slide-mpp",
        type=_resolution,
        metavar="MICRONS",
        help="microns per pixel of level 0, for slide files that do not state it",
    )
    add(
        "--mask",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether to skip glass (default: yes)",
    )
    add(
        "--max-memory",
        type=_positive_number,
        default=500,
        metavar="MB",
        help="maximum memory for the pixels and computation of a tile, without "
        "TensorFlow and the model (default: 500)",
    )
    add(
        "--trust",
        action="append",
        default=[],
        metavar="NAME",
        help="a type in the model file that may be loaded, such as "
        "my_module.MyTransformer (may be repeated)",
    )


def _add_files(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("files").add_argument
    add(
        "--names",
        nargs="+",
        metavar="NAME",
        help="names of the slides in results, one per SLIDE, for example if file names "
        "identify patients",
    )
    add("--csv", action="store_true", help="also write NAME.csv, a table of the cells")
    add(
        "--geojson",
        action="store_true",
        help="also write NAME.geojson, outlines for QuPath",
    )
    add("--png", action="store_true", help="also write NAME.png, a picture of the map")
    add(
        "--threshold",
        type=_probability,
        default=0.5,
        metavar="PROBABILITY",
        help="minimum probability inside the outlines of --geojson and --png "
        "(default: 0.5)",
    )
    add(
        "--class",
        dest="class_",
        metavar="LABEL",
        help="class for --geojson and --png (default: the second of two classes)",
    )
    add(
        "--overwrite",
        action="store_true",
        help="replace maps in DIR with other settings, another model or another slide",
    )


def run(arguments: argparse.Namespace) -> int:
    """Map all slides and return the exit code."""
    names = _names(arguments)
    check_exports(arguments)
    model = load_model(arguments.model, arguments.trust)
    _check_model(model, arguments)
    class_ = class_to_export(model, arguments)
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"The folder --out cannot be created: {error}") from error
    failed = []
    for path, name in zip(arguments.slides, names, strict=True):
        try:
            _map_slide(model, path, name, class_, arguments)
        except Exception as error:  # the other slides are still mapped
            failed.append(name)
            is_usual = isinstance(error, ValueError | OSError | ImportError)
            sort = "" if is_usual else f"{type(error).__name__}: "
            say(f"{name}: failed: {sort}{error}")
    if failed:
        n_slides = len(names)
        say(f"{len(failed)} of {n_slides} slides failed: {', '.join(failed)}")
    return 1 if failed else 0


def _names(arguments: argparse.Namespace) -> list[str]:
    """Return the names of the slides.

    Raises
    ------
    UsageError
        If there is not one name per slide, or if a name occurs twice or is not a valid
        file name.
    """
    names = arguments.names or [path.stem for path in arguments.slides]
    if len(names) != len(arguments.slides):
        raise UsageError(
            f"--names needs one name per slide, got {len(names)} names and "
            f"{len(arguments.slides)} slides."
        )
    for name in names:
        if name in ("", ".", "..") or "/" in name or "\\" in name:
            raise UsageError(f"The name {name!r} is not a valid file name.")
    # Some file systems are not case-sensitive.
    folded = [name.casefold() for name in names]
    repeated = sorted({name for name in names if folded.count(name.casefold()) > 1})
    if repeated:
        raise UsageError(
            f"Several slides have the name {', '.join(repeated)}. Give each slide a "
            "name with --names."
        )
    return names


def _check_model(model: Any, arguments: argparse.Namespace) -> None:
    try:
        use_of_windows(model, arguments.window)
    except (TypeError, ValueError) as error:
        raise UsageError(f"The model cannot be used for maps: {error}") from error
    if not fingerprint_of(model):
        raise UsageError(
            "The model has no fingerprint, because it cannot be pickled. Maps of "
            "different models could not be distinguished."
        )


def _map_slide(
    model: Any, path: Path, name: str, class_: Any, arguments: argparse.Namespace
) -> None:
    slide = _open(path, name, arguments.slide_mpp)
    plan = plan_map(
        model,
        slide,
        arguments.stride,
        window=arguments.window,
        mpp=arguments.mpp,
        mask="tissue" if arguments.mask else None,
        max_memory=arguments.max_memory,
    )
    file = arguments.out / f"{name}.npz"
    partial = arguments.out / f"{name}.partial"
    result = _finished(file, plan, arguments.overwrite)
    if result is None:
        result = _score(plan, partial)
        result.save(file)
        say(f"{name}: wrote {file}")
    else:
        say(f"{name}: already mapped in {file}")
    remove_partial_maps(partial)
    write_exports(result, slide, class_, arguments)


def _open(path: Path, name: str, mpp: float | None) -> Slide:
    """Open a slide. `mpp` is used if the file does not state a resolution."""
    slide = Slide(path, name=name)
    if slide.mpp is None and mpp is not None:
        return Slide(path, name=name, mpp=mpp)
    return slide


def _finished(file: Path, plan: MapPlan, overwrite: bool) -> ProbabilityMap | None:
    """Return the map of a plan from a file, or None if it must be computed.

    Raises
    ------
    ValueError
        If the file contains something else and `overwrite` is false.
    """
    if not file.exists():
        return None
    try:
        found = ProbabilityMap.load(file)
    except ValueError as error:
        if overwrite:
            return None
        raise ValueError(
            f"{error} Delete it, or replace it with --overwrite."
        ) from None
    differing = [
        name
        for name, expected in attributes_of_map(plan).items()
        if name not in _IGNORED and not np.array_equal(getattr(found, name), expected)
    ]
    if not differing:
        return found
    if overwrite:
        return None
    raise ValueError(
        f"'{file}' is a different map. It differs in: {', '.join(differing)}. Replace "
        "it with --overwrite, or use another folder with --out."
    )


def _score(plan: MapPlan, folder: Path) -> ProbabilityMap:
    """Compute the missing tiles and return the map."""
    name, n_tiles = plan.image.name, len(plan.todo)
    say(
        f"{name}: {plan.wanted.sum():,} of {plan.wanted.size:,} cells, {n_tiles} "
        f"tile(s), way: {plan.scorer.way}. {plan.scorer.reason}"
    )
    partial = PartialMap(folder, plan)
    done = partial.done()
    progress = Progress(name, n_tiles, len(done))
    with closing(score_tiles(plan, done)) as tiles:
        for number, values in tiles:
            partial.write(number, values)
            progress.advance()
    return map_of_tiles(plan, partial.tiles())


def _positive_integer(text: str) -> int:
    number = _number(text)
    if not (number >= 1 and number.is_integer()):
        raise argparse.ArgumentTypeError(f"{text} is not a positive integer")
    return int(number)


def _positive_number(text: str) -> float:
    number = _number(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def _probability(text: str) -> float:
    number = _number(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return number


def _resolution(text: str) -> float:
    try:
        return check_mpp(_number(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _number(text: str) -> float:
    """Return the number in a text, or NaN, which is outside of every range."""
    try:
        return float(text)
    except ValueError:
        return math.nan
