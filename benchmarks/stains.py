"""Measure the artefacts of stain normalisation in smooth tissue and in glass.

Run from the root of the repository, with SKHISTO_DATA set::

    python -m benchmarks.stains
    python -m benchmarks.stains --quick                   # few patches, as a test
    python -m benchmarks.stains --pictures docs/images    # draws pictures of the guide

Each method is fitted on three references and applied to all tiles and to 600 patches
of PatchCamelyon, which takes about two minutes. The pictures show patches of
PatchCamelyon, which are in the public domain (CC0).
"""

import argparse
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.table import Table
from skhisto import StainNormalizer
from skhisto._stain.glass import find_glass

METHODS = ("reinhard", "macenko")
N_PCAM = 600
NEAR, FAR = 10, 40
GLASS_DISTANCE = 6
TARGET = "target_image.png"
PICTURES = {
    # Patches of several slides.
    "stains_before_after.jpg": [
        "082401bb",
        "087557b6",
        "091620b0",
        "093070b3",
        "094851ec",
        "0c22fc6a",
        "088193b7",
    ],
    # Two out of focus, nuclei only, two with pen or a fold, two with fat.
    "stains_when_not.jpg": [
        "092719a8",
        "00ca64b8",
        "098340fb",
        "092007d6",
        "087201c4",
        "088352c9",
        "08566ce8",
    ],
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stains")
    parser.add_argument("--quick", action="store_true", help="measure few patches")
    parser.add_argument("--pictures", type=Path, help="draw pictures in this folder")
    arguments = parser.parse_args()
    folder = Path(os.environ["SKHISTO_DATA"])
    paths = sorted((folder / "pcam" / "train").glob("*.tif"))[:N_PCAM]
    pcam = read(paths)
    if arguments.pictures is not None:
        draw(arguments.pictures, {path.stem[:8]: path for path in paths}, pcam)
        return
    tiles = read(_images(folder / "tiles"))
    if arguments.quick:
        pcam, tiles = pcam[:20], tiles[-20:]
    references = {
        "pcam": pcam,
        "kather2016": read(_images(folder / "tiles" / "kather2016")),
        TARGET: read([folder / "tiles" / "single" / TARGET]),
    }
    print(compare(references, tiles + pcam).markdown())


def compare(
    references: dict[str, list[np.ndarray]], patches: list[np.ndarray]
) -> Table:
    """Return the table of all methods and references."""
    stacks = list(_stacks(patches))
    table = Table(
        [
            "method",
            "reference",
            "speckle, mean %",
            "speckle, worst %",
            "glass, 99th percentile",
            "glass, worst patch",
            "patches/s",
        ],
        caption=f"{len(patches)} patches. Speckle: share of neighbouring pixels whose "
        f"mean differs by less than {NEAR} grey levels before and by more than {FAR} "
        "after normalisation. Glass: the largest change of red, green and blue where a "
        f"pixel is within {GLASS_DISTANCE} grey levels of the glass of its patch.",
    )
    for method in METHODS:
        for name, reference in references.items():
            normalizer = StainNormalizer(method).fit(np.stack(reference))
            start = time.perf_counter()
            results = [normalizer.transform(stack) for stack in stacks]
            seconds = time.perf_counter() - start
            pairs = [
                pair
                for stack, result in zip(stacks, results, strict=True)
                for pair in zip(stack, result, strict=True)
            ]
            shares = [100 * speckle(*pair) for pair in pairs]
            changes = [c for pair in pairs if len(c := glass_changes(*pair))]
            table.add(
                method,
                name,
                float(np.mean(shares)),
                float(np.max(shares)),
                float(np.percentile(np.concatenate(changes), 99)),
                float(max(np.percentile(change, 99) for change in changes)),
                len(patches) / seconds,
            )
    return table


def draw(folder: Path, paths: dict[str, Path], reference: list[np.ndarray]) -> None:
    """Draw a row of original patches, and a row for each method."""
    fitted = {
        method.capitalize(): StainNormalizer(method).fit(np.stack(reference))
        for method in METHODS
    }
    for file, names in PICTURES.items():
        patches = np.stack(read([paths[name] for name in names]))
        rows = {"original": patches}
        rows |= {name: each.transform(patches) for name, each in fitted.items()}
        _grid(rows).save(folder / file, quality=85)


def _grid(rows: dict[str, np.ndarray], margin: int = 60, gap: int = 4) -> Image.Image:
    n_columns, size = next(iter(rows.values())).shape[:2]
    step = size + gap
    picture = Image.new("RGB", (margin + n_columns * step, len(rows) * step), "white")
    pen = ImageDraw.Draw(picture)
    for row, (name, patches) in enumerate(rows.items()):
        pen.text((2, row * step + size // 2), name, fill="black")
        for column, patch in enumerate(patches):
            corner = (margin + column * step, row * step)
            picture.paste(Image.fromarray(patch), corner)
    return picture


def speckle(before: np.ndarray, after: np.ndarray) -> float:
    """Return the share of neighbouring pixels that are near before and far after."""
    n_torn = n_pairs = 0
    for axis in (0, 1):
        distances = [
            np.abs(np.diff(patch.mean(axis=2), axis=axis)) for patch in (before, after)
        ]
        n_torn += np.count_nonzero((distances[0] < NEAR) & (distances[1] > FAR))
        n_pairs += distances[0].size
    return n_torn / n_pairs


def glass_changes(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the largest change of a channel for each pixel of glass."""
    colour = find_glass(before[np.newaxis])[0]
    distance = np.abs(before - colour).max(axis=2)
    changes = np.abs(after.astype(int) - before).max(axis=2)
    return changes[
        distance <= GLASS_DISTANCE
    ]  # empty without glass, where the colour is NaN


def read(paths: list[Path]) -> list[np.ndarray]:
    """Read images as RGB."""
    return [np.asarray(Image.open(path).convert("RGB")) for path in paths]


def _images(folder: Path) -> list[Path]:
    suffixes = {".jpg", ".png", ".tif"}
    return sorted(path for path in folder.rglob("*") if path.suffix in suffixes)


def _stacks(patches: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Stack patches of equal shape."""
    shapes = dict.fromkeys(patch.shape for patch in patches)
    return (np.stack([p for p in patches if p.shape == shape]) for shape in shapes)


if __name__ == "__main__":
    main()
