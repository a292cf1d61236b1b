"""Checks of patches, labels and weights, and the data of a fit."""
