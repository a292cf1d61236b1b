"""Additional files of a map: tables, outlines and pictures."""

import argparse
from importlib.util import find_spec
from typing import Any

from skhisto._atomic_file import atomic_path
from skhisto._commands.errors import UsageError
from skhisto.maps._display import SlideMapDisplay
from skhisto.maps._result import ProbabilityMap
from skhisto.slides import Slide

_NEEDED = {"geojson": ("shapely", "slides"), "png": ("matplotlib", "plot")}
_DPI = 150


def check_exports(arguments: argparse.Namespace) -> None:
    """Check that libraries are installed and that user files are not replaced.

    Raises
    ------
    UsageError
        If a library is missing, or if files would be written to the folder of a slide,
        where they could replace annotations.
    """
    is_wanted = arguments.csv or arguments.geojson or arguments.png
    folders = {path.parent.resolve() for path in arguments.slides}
    if is_wanted and arguments.out.resolve() in folders:
        raise UsageError(
            f"--out is '{arguments.out}', the folder of a slide. The files of --csv, "
            "--geojson and --png could replace annotations or slides there. Use "
            "another folder."
        )
    for option, (library, extra) in _NEEDED.items():
        if getattr(arguments, option) and find_spec(library) is None:
            raise UsageError(
                f"--{option} needs {library}, which is not installed. Install it with: "
                f'pip install "skhisto[{extra}]"'
            )


def class_to_export(model: Any, arguments: argparse.Namespace) -> Any:
    """Return the class whose probabilities are drawn, or None for the default.

    Raises
    ------
    UsageError
        If the class is unknown, or if it is missing but required.
    """
    labels = {str(label): label for label in model.classes_.tolist()}
    if arguments.class_ is not None:
        if arguments.class_ not in labels:
            raise UsageError(
                f"--class must be one of {', '.join(labels)}, got {arguments.class_}."
            )
        return labels[arguments.class_]
    if (arguments.geojson or arguments.png) and len(labels) != 2:
        raise UsageError(
            f"The model has the classes {', '.join(labels)}. --geojson and --png need "
            "one of them: add --class."
        )
    return None


def write_exports(
    result: ProbabilityMap, slide: Slide, class_: Any, arguments: argparse.Namespace
) -> None:
    """Write the files that the arguments request."""
    stem = arguments.out / slide.name
    if arguments.csv:
        with atomic_path(f"{stem}.csv") as temporary:
            result.to_frame().to_csv(temporary, index=False)
    if arguments.geojson:
        result.to_geojson(
            f"{stem}.geojson", threshold=arguments.threshold, class_=class_
        )
    if arguments.png:
        with atomic_path(f"{stem}.png") as temporary:
            _draw(result, slide, class_, arguments.threshold, temporary)


def _draw(
    result: ProbabilityMap, slide: Slide, class_: Any, threshold: float, path: str
) -> None:
    from matplotlib.figure import Figure

    # pyplot is not used, because it could open windows and keeps figures in memory.
    figure = Figure(figsize=(7, 6), layout="constrained")
    SlideMapDisplay.from_map(
        result, slide, class_=class_, threshold=threshold, ax=figure.subplots()
    )
    figure.savefig(path, dpi=_DPI)
