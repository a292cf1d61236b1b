"""Keras CNNs for histopathology patches as scikit-learn estimators."""

from skhisto._classifier.checkpoint import Checkpoint
from skhisto._classifier.patch_cnn import PatchCNNClassifier
from skhisto._fork import watch_forks as _watch_forks
from skhisto.architectures import (
    CompactCNN,
    EfficientNetLite,
    KerasApplication,
    ReferenceCNN,
)
from skhisto.augmentation import D4, BrightnessJitter, StainJitter
from skhisto.datasets import (
    load_features,
    load_patch_folder,
    load_pcam,
    make_patches,
    make_slide,
    write_submission,
)
from skhisto.embedding import PatchEmbedder
from skhisto.inspection import (
    CAMDisplay,
    ClassBalanceDisplay,
    PatchGridDisplay,
    TrainingCurveDisplay,
    class_activation_map,
    occlusion_map,
)
from skhisto.maps import ProbabilityMap, SlideMapDisplay, probability_map
from skhisto.patches._patch_array import PatchArray
from skhisto.preprocessing import (
    CenterCrop,
    PatchLoader,
    Resize,
    StainNormalizer,
    center_crop,
)
from skhisto.report import PatchReport, patch_report
from skhisto.slides import Annotations, Slide, SlidePatches, read_annotations

__all__ = [
    "D4",
    "Annotations",
    "BrightnessJitter",
    "CAMDisplay",
    "CenterCrop",
    "Checkpoint",
    "ClassBalanceDisplay",
    "CompactCNN",
    "EfficientNetLite",
    "KerasApplication",
    "PatchArray",
    "PatchCNNClassifier",
    "PatchEmbedder",
    "PatchGridDisplay",
    "PatchLoader",
    "PatchReport",
    "ProbabilityMap",
    "ReferenceCNN",
    "Resize",
    "Slide",
    "SlideMapDisplay",
    "SlidePatches",
    "StainJitter",
    "StainNormalizer",
    "TrainingCurveDisplay",
    "center_crop",
    "class_activation_map",
    "load_features",
    "load_patch_folder",
    "load_pcam",
    "make_patches",
    "make_slide",
    "occlusion_map",
    "patch_report",
    "probability_map",
    "read_annotations",
    "write_submission",
]

__version__ = "0.1.0.dev0"

_watch_forks()
