"""Random changes of patches that leave their labels true."""

from skhisto.augmentation._brightness_jitter import BrightnessJitter
from skhisto.augmentation._d4 import D4
from skhisto.augmentation._stain_jitter import StainJitter

__all__ = ["D4", "BrightnessJitter", "StainJitter"]
