"""Maps of probabilities over slides."""

from skhisto.maps._result import ProbabilityMap

__all__ = ["ProbabilityMap"]
