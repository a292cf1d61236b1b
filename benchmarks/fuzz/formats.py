"""Damage to the content of a format, with correct lengths and checksums.

Plain damage to a ZIP or PNG file seldom gets past its first checksum.
"""

import io
import json
import pickletools
import struct
import zipfile
import zlib
from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any

from benchmarks.fuzz.plain import (
    TOKENS,
    damage_bytes,
    damage_text,
    extreme_integer,
)

Damage = Callable[[Random, bytes], bytes]

_PNG = b"\x89PNG\r\n\x1a\n"


def one_of(*damages: Damage) -> Damage:
    """Return a damage that draws one of several for each input."""
    return lambda rng, content: rng.choice(damages)(rng, content)


def damage_json(rng: Random, content: bytes) -> bytes:
    """Change values of a JSON document, which remains valid JSON."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return damage_text(rng, content)
    for _ in range(rng.choice((1, 1, 2, 4))):
        document = damage_value(rng, document)
    return json.dumps(document).encode()


def damage_value(rng: Random, document: Any) -> Any:
    """Change one value in a tree of dicts and lists, in place unless it is the root."""
    places = list(_places(document))
    if not places or rng.random() < 0.01:
        return _other_value(rng, document, document)
    parent, key = rng.choice(places)
    choice = rng.randrange(5)
    if choice == 0:
        del parent[key]
    elif choice == 1 and isinstance(parent, list):
        parent[key:key] = [parent[key]] * rng.choice((1, 2, 50))
    elif choice == 1:
        parent[rng.choice((*TOKENS, *map(str, parent)))] = parent[key]
    else:
        parent[key] = _other_value(rng, parent[key], document)
    return document


def _places(tree: Any) -> Any:
    waiting = [tree] if isinstance(tree, dict | list) else []
    while waiting:
        parent = waiting.pop()
        keys = range(len(parent)) if isinstance(parent, list) else list(parent)
        for key in keys:
            yield parent, key
            if isinstance(parent[key], dict | list):
                waiting.append(parent[key])


def _other_value(rng: Random, value: Any, document: Any) -> Any:
    values = [None, True, False, 0, -1, 0.5, 1e308, float("nan"), float("inf"), "", []]
    values += [{}, [value], {"a": value}, str(value)[:100], rng.choice(TOKENS)]
    values += [extreme_integer(rng), -extreme_integer(rng), 10**400]
    places = list(_places(document))
    if places:
        parent, key = rng.choice(places)
        values.append(json.loads(json.dumps(parent[key])))
    return rng.choice(values)


def damage_zip(inner: Callable[[str], Damage]) -> Damage:
    """Return a damage to the members of a ZIP file.

    Parameters
    ----------
    inner : callable
        Returns the damage to a member by its name.
    """

    def damage(rng: Random, content: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [(name, archive.read(name)) for name in archive.namelist()]
        for _ in range(rng.choice((1, 1, 2))):
            _damage_members(rng, members, inner)
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w") as archive:
            for name, member in members:
                kind = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
                archive.writestr(zipfile.ZipInfo(name), member, kind)
        return written.getvalue()

    return damage


def _damage_members(
    rng: Random, members: list[tuple[str, bytes]], inner: Callable[[str], Damage]
) -> None:
    if not members:
        return
    position = rng.randrange(len(members))
    name, member = members[position]
    choice = rng.randrange(12)
    if choice == 0:
        del members[position]
    elif choice == 1:
        members[position] = name, rng.choice(members)[1]
    elif choice == 2:
        members[position] = rng.choice(("../x", "/x", "x", *dict(members))), member
    else:
        members[position] = name, inner(name)(rng, member)


def damage_npy(rng: Random, content: bytes) -> bytes:
    """Change the header of an array and its length field, or the values."""
    if len(content) < 10:
        return damage_bytes(rng, content)
    (length,) = struct.unpack_from("<H", content, 8)
    header, values = content[10 : 10 + length], content[10 + length :]
    if rng.random() < 0.6:
        header = damage_text(rng, header)[: 2**16 - 1]
    else:
        values = damage_bytes(rng, values)
    return content[:8] + struct.pack("<H", len(header)) + header + values


def damage_png(rng: Random, content: bytes) -> bytes:
    """Change, repeat or remove chunks, or change pixels before compression."""
    chunks, position = [], len(_PNG)
    while position + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        chunks.append((kind, content[position + 8 : position + 8 + length]))
        position += 12 + length
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.randrange(len(chunks))
        kind, values = chunks[at]
        choice = rng.randrange(8)
        if choice == 0 and len(chunks) > 1:
            del chunks[at]
        elif choice == 1:
            chunks.insert(rng.randrange(len(chunks)), chunks[at])
        elif choice == 2:
            chunks[at] = rng.choice(_PNG_KINDS), values
        elif kind == b"IDAT" and choice < 6:
            chunks[at] = kind, _recompressed(rng, values)
        else:
            chunks[at] = kind, damage_bytes(rng, values)
    parts = [_PNG]
    for kind, values in chunks:
        sum_ = zlib.crc32(kind + values)
        parts += [struct.pack(">I", len(values)), kind, values, struct.pack(">I", sum_)]
    return b"".join(parts)


_PNG_KINDS = [b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"tEXt", b"zTXt", b"iTXt"]
_PNG_KINDS += [b"eXIf", b"iCCP", b"acTL", b"fcTL", b"fdAT", b"gAMA", b"pHYs"]


def _recompressed(rng: Random, values: bytes) -> bytes:
    try:
        return zlib.compress(damage_bytes(rng, zlib.decompress(values)), 1)
    except zlib.error:
        return damage_bytes(rng, values)


def damage_tiff(rng: Random, content: bytes) -> bytes:
    """Change tags of a little-endian TIFF file: their number, type, count or value."""
    damaged = bytearray(content)
    places = []
    (start,) = struct.unpack_from("<I", content, 4)
    while 0 < start < len(content) - 2 and len(places) < 1000:
        (n_tags,) = struct.unpack_from("<H", content, start)
        places += [(start + 2 + 12 * number) for number in range(n_tags)]
        end = start + 2 + 12 * n_tags
        is_complete = end + 4 <= len(content)
        start = struct.unpack_from("<I", content, end)[0] if is_complete else 0
    for _ in range(rng.choice((1, 1, 2, 3))):
        offset, size = rng.choice(((0, 2), (2, 2), (4, 4), (8, 4), (8, 4), (8, 2)))
        values = (extreme_integer(rng), rng.randrange(2**16), rng.randrange(9))
        value = rng.choice(values)
        at = rng.choice(places) + offset
        damaged[at : at + size] = (value % 256**size).to_bytes(size, "little")
    return bytes(damaged)


def damage_pickles(rng: Random, content: bytes) -> bytes:
    """Remove, repeat or exchange instructions of the pickles at the start of a file."""
    file, starts = io.BytesIO(content), []
    try:
        for _ in range(5):
            base = file.tell()
            starts += [p for _, _, p in pickletools.genops(file) if p >= base]
    except Exception:  # the values of tensors follow
        pass
    bounds = [*starts, file.tell()]
    parts = [content[a:b] for a, b in pairwise(bounds)]
    for _ in range(rng.choice((1, 1, 2, 4))):
        at, other = rng.randrange(len(parts)), rng.randrange(len(parts))
        choice = rng.randrange(4)
        if choice == 0:
            parts[at] = b""
        elif choice == 1:
            parts[at] *= rng.choice((2, 3, 100))
        elif choice == 2:
            parts[at] = parts[other]
        else:
            parts[at] = damage_bytes(rng, parts[at])
    return b"".join(parts) + content[bounds[-1] :]


def damage_protobuf(rng: Random, content: bytes, depth: int = 0) -> bytes:
    """Change a field of a message, and the lengths around it."""
    fields = _fields(content)
    if not fields:
        return damage_bytes(rng, content)
    at = rng.randrange(len(fields))
    key, value = fields[at]
    choice = rng.randrange(10)
    if choice == 0:
        del fields[at]
    elif choice == 1:
        fields.insert(rng.randrange(len(fields)), fields[at])
    elif choice == 2:
        fields[at] = fields[rng.randrange(len(fields))]
    elif isinstance(value, int):
        fields[at] = key, rng.choice((extreme_integer(rng), rng.randrange(32)))
    elif key & 7 == 2 and depth < 8 and _fields(value):
        fields[at] = key, damage_protobuf(rng, value, depth + 1)
    elif key & 7 == 2:
        fields[at] = key, damage_bytes(rng, value)
    return b"".join(_field(*field) for field in fields)


def _fields(content: bytes) -> list[tuple[int, int | bytes]]:
    """Split a message into keys and values. Return [] for other content."""
    fields: list[tuple[int, int | bytes]] = []
    position = 0
    try:
        while position < len(content):
            key, position = _varint(content, position)
            if key >> 3 == 0:
                return []
            if key & 7 == 0:
                value, position = _varint(content, position)
                fields.append((key, value))
                continue
            if key & 7 == 2:
                length, position = _varint(content, position)
            else:
                length = {1: 8, 5: 4}[key & 7]
            if position + length > len(content):
                return []
            fields.append((key, content[position : position + length]))
            position += length
    except (IndexError, KeyError):
        return []
    return fields


def _field(key: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return _encoded(key) + _encoded(value)
    return _encoded(key) + (_encoded(len(value)) if key & 7 == 2 else b"") + value


def _varint(content: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position


def _encoded(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])
