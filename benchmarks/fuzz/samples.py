"""Small valid files, which are damaged later."""

import io
import json
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIDE = 16


def pixels(side: int = SIDE, channels: int = 3) -> np.ndarray:
    """Return the same uint8 pixels in each call, with some structure."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 64, (side, side, channels))
    return (noise + 150 * (np.arange(side) > 5)[:, None, None]).astype(np.uint8)


def _saved(image: Image.Image, kind: str, **settings: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def tiff_images(folder: Path) -> list[bytes]:
    """Return TIFF files of several kinds."""
    rgb = Image.fromarray(pixels())
    grey = Image.fromarray(pixels(channels=1)[..., 0].astype(np.uint16) * 200)
    compressions = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
    files = [_saved(rgb, "TIFF", compression=name) for name in compressions]
    two = _saved(rgb, "TIFF", save_all=True, append_images=[rgb])
    palette = rgb.convert("P")
    return [*files, two, _saved(grey, "TIFF"), _saved(palette, "TIFF")]


def png_images(folder: Path) -> list[bytes]:
    """Return PNG files of several modes, and one with text."""
    from PIL.PngImagePlugin import PngInfo

    rgb = Image.fromarray(pixels())
    notes = PngInfo()
    notes.add_text("a", "b" * 40, zip=True)
    notes.add_itxt("c", "d", "en", "e", zip=True)
    grey = Image.fromarray(pixels(channels=1)[..., 0].astype(np.uint16) * 200)
    modes = [rgb.convert(mode) for mode in ("RGBA", "L", "LA", "P", "1")]
    exif = Image.Exif()
    exif[0x0112] = 6
    return [
        *(_saved(image, "PNG") for image in [rgb, grey, *modes]),
        _saved(rgb, "PNG", pnginfo=notes, exif=exif, dpi=(300, 300)),
        _saved(rgb, "PNG", save_all=True, append_images=[modes[0]]),
    ]


def jpeg_images(folder: Path) -> list[bytes]:
    """Return JPEG files, one progressive, one with EXIF, and one of several images."""
    rgb = Image.fromarray(pixels())
    exif = Image.Exif()
    exif[0x0112] = 6
    return [
        _saved(rgb, "JPEG"),
        _saved(rgb, "JPEG", progressive=True, exif=exif, icc_profile=b"x" * 200),
        _saved(rgb.convert("L"), "JPEG", comment=b"x"),
        _saved(rgb.convert("CMYK"), "JPEG"),
        _saved(rgb, "MPO", save_all=True, append_images=[rgb]),
    ]


def webp_images(folder: Path) -> list[bytes]:
    """Return WebP files: lossy, lossless, with transparency and animated."""
    rgb = Image.fromarray(pixels())
    rgba = Image.fromarray(pixels(channels=4))
    return [
        _saved(rgb, "WEBP"),
        _saved(rgba, "WEBP", lossless=True, exif=b"Exif\0\0x"),
        _saved(rgb, "WEBP", save_all=True, append_images=[rgba]),
    ]


def slides(folder: Path) -> list[bytes]:
    """Return pyramidal TIFF files, and an SVS file of Aperio."""
    import tifffile

    rgb = pixels(128)
    levels = [rgb, rgb[::2, ::2], rgb[::4, ::4]]
    files = []
    for compression in ("zlib", None):
        with tifffile.TiffWriter(folder / "sample.tif") as file:
            for number, level in enumerate(levels):
                file.write(
                    np.ascontiguousarray(level),
                    tile=(32, 32),
                    photometric="rgb",
                    compression=compression,
                    resolution=(2e4, 2e4),
                    resolutionunit="CENTIMETER",
                    subfiletype=int(number > 0),
                    metadata=None,
                )
        files.append((folder / "sample.tif").read_bytes())
    text = "Aperio Image Library v1\n128x128 (32x32)|AppMag = 20|MPP = 0.5"
    with tifffile.TiffWriter(folder / "sample.tif") as file:
        settings = {"photometric": "rgb", "compression": "zlib", "metadata": None}
        file.write(rgb, description=text, tile=(32, 32), **settings)
        file.write(np.ascontiguousarray(levels[2]), description=text, **settings)
        file.write(np.ascontiguousarray(levels[1]), tile=(32, 32), **settings)
    return [*files, (folder / "sample.tif").read_bytes()]


def _hdf5(folder: Path, **datasets: dict[str, Any]) -> bytes:
    import h5py

    path = folder / "sample.h5"
    with h5py.File(path, "w") as file:
        for name, settings in datasets.items():
            file.create_dataset(name, **settings)
    return path.read_bytes()


def pcam_patches(folder: Path) -> list[bytes]:
    """Return patches of PatchCamelyon, in one piece and in compressed chunks."""
    data = np.stack([pixels(96)] * 3)
    chunks = {"chunks": (1, 96, 96, 3), "compression": "gzip", "shuffle": True}
    return [_hdf5(folder, x={"data": data, **s}) for s in (chunks, {})]


def pcam_labels(folder: Path) -> list[bytes]:
    """Return labels of PatchCamelyon."""
    data = np.array([0, 1, 0], np.uint8).reshape(3, 1, 1, 1)
    chunks = {"chunks": (2, 1, 1, 1), "compression": "gzip", "fletcher32": True}
    return [_hdf5(folder, y={"data": data, **s}) for s in (chunks, {})]


def features(folder: Path) -> list[bytes]:
    """Return tables of features, one with names of tiles."""
    table = np.linspace(0, 1, 24, dtype=np.float32).reshape(6, 4)
    coords = np.arange(12).reshape(6, 2)
    settings = {"chunks": True, "compression": "gzip", "maxshape": (None, 4)}
    names = np.array([f"tile_{n}" for n in range(6)], dtype=object)
    return [
        _hdf5(folder, features={"data": table}, coords={"data": coords}),
        _hdf5(
            folder,
            feats={"data": table, **settings},
            metadata={"data": names.astype(bytes)},
            coords={"data": coords[None].astype(np.float64)},
        ),
    ]


def tables(folder: Path) -> list[bytes]:
    """Return CSV files of labels and groups."""
    return [
        b"id,label,slide\na,0,s1\nb,1,s2\n",
        b'\xef\xbb\xbfid,label,slide\r\n"a.png",x,001\r\n"b",y,002\r\n',
    ]


def pcam_meta(folder: Path) -> list[bytes]:
    """Return the CSV file of slides and coordinates of PatchCamelyon."""
    return [b",coord_y,coord_x,tumor_patch,wsi\n" + b"1,2,3,False,camelyon_1\n" * 3]


def geojson(folder: Path) -> list[bytes]:
    """Return GeoJSON of QuPath, with holes and children."""
    ring = [[0, 0], [0, 30], [30, 30], [30, 0], [0, 0]]
    hole = [[5, 5], [9, 5], [9, 9], [5, 5]]
    many = {"type": "MultiPolygon", "coordinates": [[ring, hole], [ring]]}
    child = {
        "type": "Feature",
        "geometry": many,
        "properties": {"classification": {"names": ["Tumor", "a"], "color": [1, 2, 3]}},
    }
    features = [
        {
            "type": "Feature",
            "id": "x",
            "geometry": {"type": "Polygon", "coordinates": [ring]},
            "properties": {
                "classification": {"name": "Tumor"},
                "childObjects": [child],
                "measurements": {"area": 1.5},
            },
        },
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}},
    ]
    collection = {"type": "FeatureCollection", "features": features}
    return [json.dumps(document).encode() for document in (collection, features)]


def asap_xml(folder: Path) -> list[bytes]:
    """Return XML of ASAP."""
    points = "".join(
        f'<Coordinate Order="{n}" X="{x}.5" Y="{y}" />'
        for n, (x, y) in enumerate([(0, 0), (0, 30), (30, 30), (30, 0)])
    )
    annotations = "".join(
        f'<Annotation Name="a" Type="{kind}" PartOfGroup="{group}" Color="#F4FA58">'
        f"<Coordinates>{points}</Coordinates></Annotation>"
        for kind, group in [("Polygon", "_0"), ("Spline", "_2"), ("Dot", "None")]
    )
    groups = '<AnnotationGroups><Group Name="_0" Color="#ff0000"/></AnnotationGroups>'
    return [
        f'<?xml version="1.0"?>\n<ASAP_Annotations><Annotations>{annotations}'
        f"</Annotations>{groups}</ASAP_Annotations>".encode()
    ]


def maps(folder: Path) -> list[bytes]:
    """Return a map of a slide."""
    from skhisto import ProbabilityMap

    tumour = np.array([[0.1, 0.9, 0.5], [0.2, np.nan, 0.7]])
    ProbabilityMap(
        probabilities=np.stack([1 - tumour, tumour], axis=2),
        classes=["normal", "tumour"],
        origin=(32, 32),
        stride=32,
        window=(96, 96),
        slide_shape=(128, 256),
        mpp=0.5,
        tissue=~np.isnan(tumour),
        slide_name="a",
        slide_fingerprint="b",
        model_fingerprint="c",
        way="windows",
        reason="d",
    ).save(folder / "sample.npz")
    return [(folder / "sample.npz").read_bytes()]


def estimators(folder: Path) -> list[bytes]:
    """Return skops files of a Pipeline and of transformers."""
    import skops.io
    from sklearn.pipeline import make_pipeline

    from skhisto import (
        CenterCrop,
        PatchCNNClassifier,
        PatchEmbedder,
        PatchLoader,
        ReferenceCNN,
        StainNormalizer,
    )

    classifier = PatchCNNClassifier(
        architecture=ReferenceCNN(filters=(2,)), augment="d4"
    )
    classifier.patch_shape_ = (8, 8, 3)
    classifier.pixel_dtype_ = "uint8"
    classifier.classes_ = np.array(["a", "b"])
    classifier.weights_ = {"a/kernel": np.ones((2, 3), np.float32)}
    classifier.network_config_ = '{"class_name": "Functional"}'
    classifier.history_ = {"loss": [0.5, 0.25]}
    pipeline = make_pipeline(PatchLoader(suffix=".png"), CenterCrop(8), classifier)
    embedder = PatchEmbedder(classifier)
    normalizer = StainNormalizer().fit(np.stack([pixels(32)] * 2))
    return [skops.io.dumps(part) for part in (pipeline, embedder, normalizer)]


def torch_file(folder: Path) -> list[bytes]:
    """Return weights in PyTorch's legacy format, written without PyTorch."""

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def number(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
    parts = [pickle.dumps(p, 2) for p in (0x1950A86A20F9469CFC6C, 1001, system)]
    state = [b"\x80\x02}"]
    for name, key, rows in (("a.weight", "0", 2), ("b", "1", 3)):
        kind = b"ctorch\nFloatStorage\n" if key == "0" else b"ctorch\nLongStorage\n"
        state += [
            text(name),
            b"ctorch._utils\n_rebuild_tensor_v2\n((",
            text("storage") + kind + text(key) + text("cpu") + number(rows * 2),
            b"NtQ" + number(0) + number(rows) + number(2) + b"\x86",
            number(2) + number(1) + b"\x86\x89",
            b"ccollections\nOrderedDict\n)RtRs",
        ]
    parts += [b"".join(state) + b".", pickle.dumps(["0", "1"], 2)]
    values = [np.arange(4, dtype="<f4"), np.arange(6, dtype="<i8")]
    parts += [struct.pack("<q", len(v)) + v.tobytes() for v in values]
    return [b"".join(parts)]


def onnx_network(folder: Path) -> list[bytes]:
    """Return a small network: a convolution and a mean over positions."""
    from onnx import TensorProto, helper, numpy_helper

    kernel = np.linspace(-1, 1, 4 * 3 * 9, dtype=np.float32).reshape(4, 3, 3, 3)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("GlobalAveragePool", ["b"], ["c"]),
            helper.make_node("Flatten", ["c"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(kernel, "w")],
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    return [model.SerializeToString()]


def checkpoints(folder: Path) -> list[bytes]:
    """Return the checkpoint of a fit with early stopping."""
    from skhisto._classifier.checkpoint_file import CheckpointFile

    def state(name: str) -> dict[str, Any]:
        return {
            "n_iter": 2,
            "value_range": [0.0, 1.0],
            "history": {"loss": [0.5, None], "val_loss": [0.5, 0.25]},
            "weights": ["w"],
            "optimizer_state": ["m"],
            "name": name,
        }

    document = {
        "format": 1,
        "seed": 3,
        "network": NETWORK_HASH,
        "is_finished": False,
        "early_stopping": {"best_loss": 0.5, "loss_to_beat": 0.5, "n_no_change": 1},
        "best": state("best"),
        "last": state("last"),
    }
    names = [f"{s}_{p}_0" for s in ("best", "last") for p in _PARTS]
    arrays = {name: np.ones((2, 3), np.float32) for name in names}
    file = CheckpointFile(folder)
    file.write(document, arrays)
    content = file.path.read_bytes()
    file.path.unlink()
    return [content]


_PARTS = ("weights", "optimizer_state")
NETWORK_HASH = "0" * 64
