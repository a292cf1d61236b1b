"""Sections of docs/benchmarks.md: speed and memory next to other libraries."""
