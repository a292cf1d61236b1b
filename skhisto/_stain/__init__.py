"""Stains: optical density, tissue, and two ways to measure and replace stain."""
