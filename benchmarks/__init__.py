"""Speed and memory of skhisto beside its peers: ``python -m benchmarks``."""
