"""Displays of patches and training, and maps that explain predictions."""

from skhisto.inspection._cam_display import CAMDisplay
from skhisto.inspection._class_activation_map import class_activation_map
from skhisto.inspection._class_balance import ClassBalanceDisplay
from skhisto.inspection._occlusion_map import occlusion_map
from skhisto.inspection._patch_grid import PatchGridDisplay
from skhisto.inspection._training_curve import TrainingCurveDisplay

__all__ = [
    "CAMDisplay",
    "ClassBalanceDisplay",
    "PatchGridDisplay",
    "TrainingCurveDisplay",
    "class_activation_map",
    "occlusion_map",
]
