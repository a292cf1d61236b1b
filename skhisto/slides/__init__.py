"""Whole slides and their annotations."""

from skhisto.slides._annotations import Annotations, read_annotations

__all__ = ["Annotations", "read_annotations"]
