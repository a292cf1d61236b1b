"""Checks of patches, labels, weights and groups, and the data of a fit."""
