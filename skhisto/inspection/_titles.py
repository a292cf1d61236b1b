"""Lines of text above patches, limited to the width of a patch."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

_SMALLEST = 5.0  # points, smaller text is hard to read, so names are shortened instead
_FILLED = 0.9  # maximum share of the width, so that adjacent titles do not touch


class Line(NamedTuple):
    """A line of a title: a name that may be shortened, and the text around it."""

    name: str
    before: str = ""
    after: str = ""


Title = Sequence[Line]


def draw_titles(
    ax: "Axes", corners: Sequence[np.ndarray], titles: Sequence[Title], width: float
) -> "tuple[list[Text], bool]":
    """Write titles above patches in one font size.

    Parameters
    ----------
    ax : matplotlib Axes
        Axes with their final limits.
    corners : sequence of ndarray of shape (2,)
        Left and bottom of each title, in data units.
    titles : sequence of sequence of Line
    width : float
        Width that is available for a title, in data units.

    Returns
    -------
    texts : list of matplotlib Text
    are_shortened : bool
        Whether a name was shortened.
    """
    texts = [
        ax.text(corner[0], corner[1], _text(title), fontsize="x-small")
        for corner, title in zip(corners, titles, strict=True)
    ]
    ax.apply_aspect()
    left, right = ax.transData.transform([(0, 0), (width, 0)])[:, 0]
    room = _FILLED * (right - left)
    _shrink(texts, room, smallest=_SMALLEST)
    are_shortened = [_shorten(*each, room) for each in zip(texts, titles, strict=True)]
    _shrink(texts, room, smallest=0)  # where even one letter takes too much room
    return texts, any(are_shortened)


def _text(title: Title, n_letters: int | None = None) -> str:
    return "\n".join(
        f"{line.before}{_shortened(line.name, n_letters)}{line.after}" for line in title
    )


def _shortened(name: str, n_letters: int | None) -> str:
    if n_letters is None or len(name) <= n_letters:
        return name
    return name[: n_letters - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def _shrink(texts: "list[Text]", room: float, smallest: float) -> None:
    """Make all texts smaller until the longest one fits, or to the smallest size."""
    size = min((float(text.get_fontsize()) for text in texts), default=0.0)
    while size > smallest and size > 1:
        longest = max(text.get_window_extent().width for text in texts)
        if longest <= room:
            return
        # Letter widths are rounded to pixels, so one step may not be enough.
        size = max(0.98 * size * room / longest, min(smallest, size))
        for text in texts:
            text.set_fontsize(size)


def _shorten(text: "Text", title: Title, room: float) -> bool:
    """Shorten the names in a title until it fits. Return whether it was shortened."""
    width = text.get_window_extent().width
    if width <= room:
        return False
    longest = max(len(line.name) for line in title)
    for n_letters in range(min(longest - 1, round(longest * room / width) + 1), 1, -1):
        text.set_text(_text(title, n_letters))
        if text.get_window_extent().width <= room:
            break
    return True
