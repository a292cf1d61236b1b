"""Damage to bytes and to text, without knowledge of the format."""

import re
from random import Random

_EXTREMES = [0, 1, 2, 127, 128, 255, 2**15 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31]
_EXTREMES += [2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1]
TOKENS = [
    *("", "0", "-1", "1e999", "-1e308", "NaN", "Infinity", "1" * 400, "null", "true"),
    *("2147483648", "-9223372036854775809", "[]", "{}", '"', "'", ",", ";", "\n"),
    *("\r", "\t", "\0", "..", "../../x", "/etc/passwd", "\ufeff", "\u0660", "&lt;"),
    *("<!--", "]]>", "<!DOCTYPE a>", "&a;", "<a>", "</a>", "[" * 200, "{" * 200),
]
_TOKEN = re.compile(r"\w+|\s+|.", re.DOTALL)


def damage_bytes(rng: Random, content: bytes) -> bytes:
    """Change a few bytes."""
    damaged = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        rng.choice(_DAMAGES)(rng, damaged)
    return bytes(damaged)


def damage_text(rng: Random, content: bytes) -> bytes:
    """Change a few tokens of UTF-8 text."""
    tokens = _TOKEN.findall(content.decode("utf-8", "replace"))
    for _ in range(rng.choice((1, 1, 2, 4))):
        start = rng.randrange(len(tokens) + 1)
        stop = min(len(tokens), start + rng.choice((0, 1, 1, 2, 10)))
        choice = rng.randrange(4)
        if choice == 0:
            tokens[start:stop] = []
        elif choice == 1:
            tokens[start:stop] = [rng.choice(TOKENS)]
        elif choice == 2:
            tokens[start:stop] *= rng.choice((2, 3, 50))
        elif tokens:
            tokens[start:stop] = [rng.choice(tokens)]
    return "".join(tokens).encode("utf-8", "surrogatepass")


def extreme_integer(rng: Random) -> int:
    """Return an integer at which a size or a sign changes."""
    return rng.choice(_EXTREMES)


def _place(rng: Random, content: bytearray) -> tuple[int, int]:
    start = rng.randrange(len(content) + 1)
    return start, min(len(content), start + rng.choice((1, 2, 4, 8, 16, 64, 512)))


def _flip_a_bit(rng: Random, content: bytearray) -> None:
    if content:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def _write_an_integer(rng: Random, content: bytearray) -> None:
    size, order = rng.choice((1, 2, 4, 8)), rng.choice(("little", "big"))
    value = extreme_integer(rng) % 256**size
    start = rng.randrange(len(content) + 1)
    content[start : start + size] = value.to_bytes(size, order)


def _write_noise(rng: Random, content: bytearray) -> None:
    start, stop = _place(rng, content)
    content[start:stop] = rng.randbytes(stop - start)


def _write_one_byte(rng: Random, content: bytearray) -> None:
    start, stop = _place(rng, content)
    content[start:stop] = bytes([rng.choice((0, 1, 127, 128, 255))]) * (stop - start)


def _remove(rng: Random, content: bytearray) -> None:
    start, stop = _place(rng, content)
    del content[start:stop]


def _duplicate(rng: Random, content: bytearray) -> None:
    start, stop = _place(rng, content)
    at = rng.randrange(len(content) + 1)
    content[at:at] = content[start:stop] * rng.choice((1, 1, 2, 20))


def _truncate(rng: Random, content: bytearray) -> None:
    del content[rng.randrange(len(content) + 1) :]


_DAMAGES = [
    *(_flip_a_bit, _flip_a_bit, _write_an_integer, _write_an_integer, _write_noise),
    *(_write_one_byte, _remove, _duplicate, _truncate),
]
