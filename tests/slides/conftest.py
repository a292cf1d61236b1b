"""Slides that are written for the tests."""

from pathlib import Path

import numpy as np
import pytest

SECRET = "SECRET-PATIENT-NAME"
APERIO = (
    f"Aperio Image Library v1\n512x512 (64x64)|AppMag = 20|MPP = 0.5|Title = {SECRET}"
)


def textured(height, width, seed=0):
    """RGB pixels with details of all sizes."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3))
    image[: height // 2] = image[: height // 2] // 4 + 150
    return image.astype(np.uint8)


def shrink(pixels, factor):
    height, width = (side // factor for side in pixels.shape[:2])
    pixels = pixels[: height * factor, : width * factor]
    blocks = pixels.reshape(height, factor, width, factor, 3)
    return blocks.mean(axis=(1, 3)).round().astype(np.uint8)


def write_pyramid(path, pixels, factors=(1, 2, 4), mpp=0.5):
    """A generic pyramidal TIFF."""
    tifffile = pytest.importorskip("tifffile")
    resolution = (1e4 / mpp, 1e4 / mpp)
    with tifffile.TiffWriter(path) as tiff:
        for factor in factors:
            tiff.write(
                shrink(pixels, factor),
                tile=(64, 64),
                photometric="rgb",
                compression="zlib",
                resolution=resolution,
                resolutionunit="CENTIMETER",
                subfiletype=0 if factor == 1 else 1,
                metadata=None,
            )
    return Path(path)


def write_svs(path, pixels):
    """An SVS file with thumbnail, a level, label and macro image, all of them marked."""
    tifffile = pytest.importorskip("tifffile")
    options = {"photometric": "rgb", "compression": "zlib", "metadata": None}
    tile = {"tile": (64, 64)}
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(pixels, description=APERIO, **tile, **options)
        tiff.write(shrink(pixels, 8), description=APERIO, **options)
        tiff.write(shrink(pixels, 4), description=APERIO, **tile, **options)
        for name, number in {"label": 1, "macro": 9}.items():
            tiff.write(
                np.full((32, 32, 3), 7, np.uint8),
                description=f"Aperio Image Library v1\n{name} 32x32",
                subfiletype=number,
                **options,
            )
    return Path(path)


@pytest.fixture(scope="session")
def pyramid(tmp_path_factory):
    """A pyramidal TIFF of 300x500 pixels and its pixels."""
    pixels = textured(300, 500)
    return write_pyramid(tmp_path_factory.mktemp("slides") / "p.tiff", pixels), pixels


@pytest.fixture(scope="session")
def svs(tmp_path_factory):
    """An SVS file of 512x512 pixels and its pixels."""
    pixels = textured(512, 512)
    return write_svs(tmp_path_factory.mktemp("slides") / "s.svs", pixels), pixels
