"""The classifier, and what it is made of. No Keras at import."""
