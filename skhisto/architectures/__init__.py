"""Network architectures as objects with parameters.

Keras is imported only when a network is built.
"""

from skhisto.architectures._base import Architecture
from skhisto.architectures._compact import CompactCNN
from skhisto.architectures._efficientnet_lite import EfficientNetLite
from skhisto.architectures._keras_application import KerasApplication
from skhisto.architectures._reference import ReferenceCNN

__all__ = [
    "Architecture",
    "CompactCNN",
    "EfficientNetLite",
    "KerasApplication",
    "ReferenceCNN",
]
