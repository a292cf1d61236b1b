"""Options of the command line."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """How much to measure.

    Parameters
    ----------
    rounds : int
        Turns of each contender.
    quick : bool
        Whether to measure next to nothing, as a test.
    full : bool
        Whether to read 220,025 files too.
    """

    rounds: int = 5
    quick: bool = False
    full: bool = False

    @property
    def few_rounds(self) -> int:
        """Number of turns if one takes half a minute."""
        return self.rounds // 2 + 1

    @property
    def fewest_rounds(self) -> int:
        """Number of turns if one takes minutes."""
        return max(1, self.rounds // 2)
