"""Probability maps of slides."""

from skhisto.maps._display import SlideMapDisplay
from skhisto.maps._probability_map import probability_map
from skhisto.maps._result import ProbabilityMap

__all__ = ["ProbabilityMap", "SlideMapDisplay", "probability_map"]
