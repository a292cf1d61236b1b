"""Private: files and pixels. No scikit-learn, no Keras."""
