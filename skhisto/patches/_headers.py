"""Sizes and pixel formats of many image files, read from their headers.

Headers are cached for the process, because cross-validation reads the same files many
times. A file is read again if its size or modification time changes.
"""

import os
import struct
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from skhisto.patches._missing_files import check_all_exist
from skhisto.patches._opening import explained, opened_image
from skhisto.patches._pixel_formats import content_of, content_problem
from skhisto.patches._tiff import stored_size

# Enough for all files of the largest public sets. An entry takes about 200 bytes.
_MAX_FILES = 400_000
_MAX_HEADS = 4_096
_HEAD_BYTES = 2_048

# Threads overlap the waits for the disk. For cached files, one would be enough.
_N_THREADS = 4
_FILES_PER_TASK = 256
_N_NAMED = 10

_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF_ENTRIES = {b"II*\x00": "<", b"MM\x00*": ">"}
_TIFF_VALUE_BYTES = (1, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4)


class Header(NamedTuple):
    """The information from the header of an image file.

    Attributes
    ----------
    size : tuple of int (height, width)
        In pixels, as stored.
    content : str
        The pixel format, see `content_of`.
    """

    size: tuple[int, int]
    content: str


_Known = tuple[int, int, Header]  # bytes of the file, time of change, header

_files: dict[str, _Known] = {}
_heads: dict[Hashable, Header] = {}


def read_headers(paths: Sequence[str]) -> list[Header]:
    """Read the headers of image files.

    Raises
    ------
    FileNotFoundError
        If files do not exist. The message gives their number.
    ValueError
        If files are not images. The message gives the cause for each of the first ten.
    """
    tasks = [
        paths[start : start + _FILES_PER_TASK]
        for start in range(0, len(paths), _FILES_PER_TASK)
    ]
    if len(tasks) == 1:
        found = _read_some(paths)
    else:
        with ThreadPoolExecutor(_N_THREADS) as pool:
            found = [header for part in pool.map(_read_some, tasks) for header in part]
    _forget_oldest(_files, _MAX_FILES)
    _forget_oldest(_heads, _MAX_HEADS)
    errors = [result for result in found if isinstance(result, Exception)]
    if any(isinstance(error, FileNotFoundError) for error in errors):
        check_all_exist(paths)
    _raise_one(errors, len(paths))
    return [result for result in found if isinstance(result, Header)]


def _read_some(paths: Sequence[str]) -> list[Header | Exception]:
    return [_read_one(path) for path in paths]


def _read_one(path: str) -> Header | Exception:
    try:
        status = os.stat(path)
        known = _files.get(path)
        if known is not None and known[:2] == (status.st_size, status.st_mtime_ns):
            return known[2]
        header = _parse(path, status.st_size)
    except (OSError, ValueError) as error:  # raised later, together with other errors
        return error
    _files[path] = (status.st_size, status.st_mtime_ns, header)
    return header


def _parse(path: str, n_bytes: int) -> Header:
    key = _metadata(_head_of(path), n_bytes)
    if key is not None and key in _heads:
        return _heads[key]
    with opened_image(path) as (image, file), explained(path, file):
        header = Header(stored_size(image), content_of(image))
    if key is not None:
        _heads[key] = header
    return header


def _head_of(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(_HEAD_BYTES)
    except OSError:  # for example a folder, which `opened_image` reports
        return b""


def _metadata(head: bytes, n_bytes: int) -> Hashable | None:
    """Return a key such that files with equal keys have equal headers, or None.

    None means that the metadata are not in the first bytes of the file, or that the
    format does not say where they end.
    """
    if head[:4] in _TIFF_ENTRIES:
        end = _end_of_tiff_tags(head)
    elif head.startswith(_PNG):
        # The length of the compressed pixels is not part of the key.
        end, n_bytes = _start_of_png_pixels(head), 0
    elif head.startswith(b"BM"):
        end = int.from_bytes(head[10:14], "little")
    else:
        return None
    return (head[:end], n_bytes) if 0 < end <= len(head) else None


def _end_of_tiff_tags(head: bytes) -> int:
    """Return where tags and values end, or 0 if that is beyond the first bytes."""
    order = _TIFF_ENTRIES[head[:4]]
    try:
        (start,) = struct.unpack_from(f"{order}I", head, 4)
        (n_tags,) = struct.unpack_from(f"{order}H", head, start)
        end = start + 2 + 12 * n_tags + 4  # includes the position of the next image
        ends = [end]
        tags = struct.iter_unpack(f"{order}HHII", head[start + 2 : end - 4])
        for _, kind, count, offset in tags:
            n_value_bytes = count * _TIFF_VALUE_BYTES[kind]
            if n_value_bytes > 4:  # shorter values are in the tag itself
                ends.append(offset + n_value_bytes)
    except (struct.error, IndexError):
        return 0
    return max(ends)


def _start_of_png_pixels(head: bytes) -> int:
    """Return where the pixel chunk begins, or 0 if that is beyond the first bytes."""
    start = len(_PNG)
    while start + 8 <= len(head):
        n_bytes, kind = struct.unpack_from(">I4s", head, start)
        if kind == b"IDAT":
            return start
        start += 12 + n_bytes
    return 0


def _forget_oldest(known: dict[Any, Any], n_kept: int) -> None:
    while len(known) > n_kept:
        # Another thread may have removed the same entry.
        known.pop(next(iter(known)), None)


def _raise_one(errors: Sequence[Exception], n_files: int) -> None:
    """Raise the only error, or one that lists the first of several."""
    if not errors:
        return
    if len(errors) == 1:
        raise errors[0]
    lines = [f"{len(errors)} of {n_files} image files cannot be read:"]
    lines += [f"  {error}" for error in errors[:_N_NAMED]]
    if len(errors) > _N_NAMED:
        lines.append(f"  and {len(errors) - _N_NAMED} more")
    raise ValueError("\n".join(lines))


def check_contents(
    paths: Sequence[str], headers: Sequence[Header], mode: str, convert: bool
) -> None:
    """Raise one ValueError for all files whose pixels cannot be read in a mode."""
    problems = {
        content: content_problem(content, mode, convert)
        for content in {header.content for header in headers}
    }
    errors = [
        ValueError(f"'{path}' {problems[header.content]}")
        for path, header in zip(paths, headers, strict=True)
        if problems[header.content] is not None
    ]
    _raise_one(errors, len(paths))
