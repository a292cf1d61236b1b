"""Accuracy of recipes on slides that were not used for training."""
