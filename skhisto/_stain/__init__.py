"""Optical density, tissue detection, and two methods of stain normalisation."""
