"""The classifier and its components. Importing them does not import Keras."""
