"""Feature tables of patches. Keras and ONNX Runtime are imported when used."""

from skhisto.embedding._patch_embedder import PatchEmbedder

__all__ = ["PatchEmbedder"]
