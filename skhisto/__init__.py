"""Keras CNNs for histopathology patches as scikit-learn estimators."""

__version__ = "0.1.0.dev0"
