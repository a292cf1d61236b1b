"""Random changes to patches that do not change their labels."""

from skhisto.augmentation._base import Augmentation
from skhisto.augmentation._brightness_jitter import BrightnessJitter
from skhisto.augmentation._d4 import D4
from skhisto.augmentation._stain_jitter import StainJitter

__all__ = ["D4", "Augmentation", "BrightnessJitter", "StainJitter"]
