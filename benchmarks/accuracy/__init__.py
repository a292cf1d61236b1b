"""How good predictions on slides are that a classifier has not seen."""
